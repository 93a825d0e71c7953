"""One classifier a label space, for training sets that may share people (as in Yi et al., IDPTs, 2014; DAIL, 2018)."""
from torch import nn

from mlaface.models.heads.checks import label_error
from mlaface.models.heads.ranks import Ranks
from mlaface.registry import MODELS
from mlaface.utils.sharding import row_shard


@MODELS.register_module()
class SeparateHeads(nn.Module):
    """Tells the classes of each set apart among themselves, never those of one set from those of another.

    Somebody who is in two sets under two names would be pushed away from himself by one head over all classes. Labels
    are those of a ``MixedFaces``, the sets' classes one behind the other; each sample goes to the head of its set. The
    loss is the mean over the global batch of every sample's loss in its own head, times the weight of its set.

    Which samples are whose is asked of the labels in each step, for which a GPU is waited for.

    Args:
        num_classes (int): C, classes of all sets over all ranks; from the data.
        label_spaces (Sequence[int]): Classes of each set, in order; from the data.
        head (dict | Sequence[dict]): Config of the head, or one for each set. Default: a ``MarginHead``.
        embedding_size (int): D. Default 512.
        weights (Sequence[float], optional): Of the sets' losses. Default 1 each.
        seed (int): Of the heads' start values; set number k has ``seed + k``. Default 0.

    Raises:
        ValueError: If the label spaces are missing or do not sum to the classes, or heads or weights are not one a set.
    """

    def __init__(self, num_classes, label_spaces=None, head=None, embedding_size=512, weights=None, seed=0):
        super().__init__()
        if not label_spaces or sum(label_spaces) != num_classes:
            raise ValueError(f'SeparateHeads: the label spaces are {label_spaces}, with {num_classes} classes. '
                             "They come from a data set of type 'MixedFaces' without same_names; for another, use "
                             'MarginHead')
        count = len(label_spaces)
        configs = list(head) if isinstance(head, (list, tuple)) else [head or dict(type='MarginHead')] * count
        self.weights = [1.0] * count if weights is None else [float(weight) for weight in weights]
        if len(configs) != count or len(self.weights) != count or min(self.weights) < 0:
            raise ValueError(f'SeparateHeads: {count} sets, {len(configs)} heads, weights {self.weights}: give one for '
                             'each set, weights of at least 0')
        self.num_classes, self.embedding_size, self.label_spaces = num_classes, embedding_size, tuple(label_spaces)
        self.heads = nn.ModuleList([
            MODELS.build({'seed': seed + number, **config, 'num_classes': size, 'embedding_size': embedding_size})
            for number, (config, size) in enumerate(zip(configs, label_spaces))])
        self.ranks = Ranks()

    @property
    def needs_images(self):
        """Whether ``loss`` must be given the images (bool)."""
        return any(getattr(head, 'needs_images', False) for head in self.heads)

    def loss(self, embeddings, labels, images=None):
        """Loss of the global batch.

        Args:
            embeddings (Tensor): This rank's, raw, (N, D); ranks may have other N, also 0.
            labels (Tensor): int64 (N,).
            images (Tensor | None): (N, 3, H, W), where ``needs_images``.

        Returns:
            dict[str, Tensor]: ``loss``, a scalar equal on all ranks; ``loss_0``, ``loss_1``, ...: the part of it that
            is each set's; ``loss_0_NAME``, ...: the losses of a head with several, as it logs them.

        Raises:
            ValueError: If a label is out of range, or an embedding not finite (on a GPU: in a later step).
        """
        wrong = (labels < 0) | (labels >= self.num_classes)
        if wrong.any():
            raise label_error(int(labels[wrong][0]), self.num_classes)
        images, start, parts, named = sum(self.ranks.batch_sizes(len(labels))), 0, {}, {}
        for number, (head, size) in enumerate(zip(self.heads, self.label_spaces)):
            own = (labels >= start) & (labels < start + size)
            count = sum(self.ranks.batch_sizes(int(own.sum())))
            needed = dict(images=images[own]) if getattr(head, 'needs_images', False) else {}
            found = (head.loss(embeddings[own], labels[own] - start, **needed) if count
                     else dict(loss=self._nothing(head, embeddings)))
            parts[f'loss_{number}'] = self.weights[number] * count / images * found.pop('loss')
            named.update({f'loss_{number}_{name.removeprefix("loss_")}': value for name, value in found.items()
                          if name.startswith('loss_')})
            start += size
        return dict(loss=sum(parts.values()), **{name: part.detach() for name, part in parts.items()}, **named)

    @staticmethod
    def _nothing(head, embeddings):
        """Zero, of all that ranks share the gradient of: DDP waits for it."""
        shared = [p.sum() for p in head.parameters() if p.requires_grad and row_shard(p) is None]
        return 0.0 * sum(shared, embeddings.float().sum())

    def forward(self, embeddings, labels):
        """The same as ``loss``."""
        return self.loss(embeddings, labels)
