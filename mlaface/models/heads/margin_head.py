"""MarginHead: class centres split over ranks, any margin, sampled and chunked softmax (after Partial FC, CVPR 2022)."""
import warnings
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from mlaface.models.heads.blocks import LocalClasses
from mlaface.models.heads.checks import (
    BatchCheck,
    check_arguments,
    check_batch,
    check_given,
    check_terms,
    checked_threshold,
)
from mlaface.models.heads.ranks import Ranks
from mlaface.models.heads.rows import RowSampler, fill_rows
from mlaface.models.losses.base import LossTerms
from mlaface.registry import MARGINS, MODELS
from mlaface.utils.sharding import split_rows


def _divide(size, gradient):
    return gradient / size


@MODELS.register_module()
class MarginHead(nn.Module):
    """Classifier over class centres with a margin, split over all ranks of the process group.

    ``weight`` holds this rank's rows ``(C_local * k, D)``, raw; ``weight.row_shard`` says which global rows they are.
    So do parameters with one value a class (``margin.class_margin``). They must be left alone by DDP. All other
    gradients (of the embeddings, of a margin's scalars) are to be *summed* over ranks: the loss is the mean over
    the global batch, equal on all ranks, and no gradient carries a factor of the number of ranks.

    With ``sample_rate < 1`` the gradient of ``weight`` is a sparse COO tensor with distinct rows. Before rows are read
    the head calls ``row_hook(rows)``, if one is set, with local rows int64 (S,), or None for all; an optimizer that
    updates rows lazily brings them up to date there.

    Everything is computed in float32 (float64 for float64 weights), whatever the embeddings' type or autocast.
    Statistics that need the whole row (AdaCos, RobustFace) see the sampled classes only when sampling. A step never
    waits for a GPU, but for one case: when sampling with a global batch larger than the sample of a rank, the number of
    the batch's classes must be asked for. An update of several sampled steps waits once, where the optimizer adds up
    the rows that they have in common.

    Args:
        num_classes (int): C, classes over all ranks.
        embedding_size (int): D. Default: 512.
        margin (dict | Margin): Config for ``MARGINS``. Default: ArcFace, s 64, m 0.5.
        sample_rate (float): Share of this rank's classes in a step, in (0, 1]; classes of the batch always take part,
            also where they are more than that share (a warning says so once). Default: 1.
        chunk_size (int | None): Classes a block; the (N, C) matrix is then never held. Default: None, one block.
        reduction (str): ``'mean'``, ``'sum'`` or ``'none'``, over the global batch. Default: ``'mean'``.
        filter_threshold (float | None): Other cosines above it count as 0 (margins.md 2.24). Default: None.
        seed (int): Seed of start values and sampling. Default: 0.
        losses (Sequence[dict]): Further losses of the global batch, which are added by their ``weight`` and logged
            apart: ``mlaface/models/losses``, or ``pml.NAME`` of pytorch-metric-learning. Default: none.
        compute_dtype (str | None): ``'bfloat16'`` or ``'float16'`` for the factors of large products; sums stay in
            float32. Default: None.
        group (ProcessGroup | None): Ranks that share the head. Default: the default group, else one process.

    Raises:
        ValueError: If an argument is out of range, or there are fewer classes than ranks.
    """

    def __init__(self, num_classes, embedding_size=512, margin=None, sample_rate=1.0, chunk_size=None,
                 reduction='mean', filter_threshold=None, losses=(), seed=0, compute_dtype=None, group=None):
        super().__init__()
        self.ranks = Ranks(group)
        check_arguments(num_classes, embedding_size, sample_rate, chunk_size, reduction, compute_dtype, self.ranks)
        self.num_classes, self.embedding_size, self.seed = num_classes, embedding_size, seed
        self.sample_rate, self.chunk_size, self.reduction = sample_rate, chunk_size, reduction
        self.compute_dtype = getattr(torch, compute_dtype) if compute_dtype else None
        margin = margin or dict(type='ArcFace', s=64.0, m=0.5)
        self.margin = margin if isinstance(margin, nn.Module) else MARGINS.build(margin)
        self.filter_threshold = checked_threshold(filter_threshold, self.margin)
        self.shard = split_rows(num_classes, self.ranks.rank, self.ranks.size)  # in classes
        self.terms = LossTerms(losses, self.ranks, seed) if losses else None
        check_terms(self.terms, reduction, self.margin)
        self.row_hook = None
        self.step = 0
        self._check = BatchCheck(num_classes)
        self.set_sample_rate(sample_rate)
        self._make_weight()
        self._adopt_margin()

    def explain_loss(self):
        """Say why an earlier loss is NaN, if that is the head's doing: ``InputError`` of a label out of range."""
        self._check.explain_labels()

    def set_sample_rate(self, rate):
        """Let another share of the classes take part from the next step on.

        Args:
            rate (float): In (0, 1].

        Raises:
            ValueError: If it is no such share.
        """
        if not 0 < rate <= 1:
            raise ValueError(f'MarginHead: sample_rate must lie in (0, 1], got {rate}')
        self.sample_rate, size = rate, max(1, round(rate * self.shard.rows))
        self.sampler = RowSampler(self.shard.rows, size, self.seed, self.ranks.rank) if rate < 1 else None

    def _make_weight(self):
        shard = split_rows(self.num_classes, self.ranks.rank, self.ranks.size, self.margin.centers_per_class)
        self.weight = nn.Parameter(torch.empty(shard.rows, self.embedding_size))
        if not self.weight.is_meta:
            fill_rows(self.weight, shard.start, self.seed)

    def _adopt_margin(self):
        """Give the margin its classes; mark what is split over ranks, and share out the gradient of what is not."""
        self.margin.set_num_classes(self.num_classes, self.shard.rows)
        self._mark_shards()
        for name, parameter in self.margin.named_parameters():
            if name not in self.margin.class_parameters and self.ranks.size > 1:
                parameter.register_hook(partial(_divide, self.ranks.size))

    def _mark_shards(self):
        self.weight.row_shard = split_rows(self.num_classes, self.ranks.rank, self.ranks.size,
                                           self.margin.centers_per_class)
        for name in self.margin.class_parameters:
            getattr(self.margin, name).row_shard = self.shard
        if self.weight.requires_grad:
            self.weight.register_post_accumulate_grad_hook(self._mark_distinct)

    def _mark_distinct(self, weight):
        """Say of a gradient from one sample, whose rows ascend, that it is coalesced: asking would wait for a GPU."""
        if weight.grad.is_sparse and weight.grad._nnz() == self._sampled:
            weight.grad._coalesced_(True)

    def __setstate__(self, state):
        super().__setstate__(state)
        self._mark_shards()  # torch copies parameters without their attributes and hooks

    def get_extra_state(self):
        """The sampler's position: the same on all ranks, so that it fits any number of them."""
        return dict(step=self.step)

    def set_extra_state(self, state):
        """Put back what ``get_extra_state`` gave."""
        self.step = int(state['step'])

    @property
    def needs_images(self):
        """Whether ``loss`` must be given the images (bool)."""
        return self.terms is not None and self.terms.needs_images

    def loss(self, embeddings, labels, drawn=None, images=None):
        """Loss of the global batch.

        Args:
            embeddings (Tensor): This rank's, raw, (N, D); ranks may have other N, also 0.
            labels (Tensor): int64 (N,).
            drawn (Tensor | None): Given random margins, (N,), for margins that draw.
            images (Tensor | None): (N, 3, H, W), where ``needs_images``.

        Returns:
            dict[str, Tensor]: ``loss``, a scalar equal on all ranks; (N_global,) if ``reduction='none'``. With further
            losses also ``loss_margin`` and ``loss_NAME`` of each, before its weight.

        Raises:
            ValueError: If a label is out of range or an embedding not finite (on a GPU: in a later step).
        """
        sizes = None if self.terms is None else self.ranks.batch_sizes(len(embeddings))
        targets = None if self.terms is None else self.terms.targets(images, sizes)
        with torch.autocast(embeddings.device.type, enabled=False):
            raw, labels, drawn, faulty = self._global_batch(embeddings, labels, drawn, sizes)
            losses, target = self._losses(raw, labels, drawn, update=self.training)
            losses = torch.where(faulty, torch.nan, losses)
            loss = losses if self.reduction == 'none' else getattr(losses, self.reduction)()
            if self.terms is None:
                return dict(loss=loss)
            terms = self.terms(raw, labels, targets, target)
            return dict(loss=loss + self.terms.weighted(terms), loss_margin=loss.detach(),
                        **{f'loss_{name}': value.detach() for name, value in terms.items()})

    def forward(self, embeddings, labels):
        """The same as ``loss``."""
        return self.loss(embeddings, labels)

    def logits(self, embeddings, labels, drawn=None):
        """Logits after margin and scale, by the state as it stands: nothing is updated, no class left out.

        Args:
            embeddings (Tensor): (N, D).
            labels (Tensor): int64 (N,).
            drawn (Tensor | None): As in ``loss``.

        Returns:
            Tensor: (N, C). On several ranks all columns are gathered, without gradient.
        """
        with torch.set_grad_enabled(self.ranks.size == 1 and torch.is_grad_enabled()), \
                torch.autocast(embeddings.device.type, enabled=False):
            sizes = self.ranks.batch_sizes(len(embeddings))
            raw, labels, drawn, _ = self._global_batch(embeddings, labels, drawn, sizes)
            if self.row_hook is not None:
                self.row_hook(None)
            local, unit, weight = self._local(raw, labels, None, chunk=None)
            context, target = self._context(local, unit, weight, raw, drawn, update=False)
            block = slice(0, local.count)
            cosine = unit @ weight.to(unit.dtype).T
            cosine = cosine if local.inverse is None else cosine / weight.to(unit.dtype).norm(dim=1)
            others = self.margin.other_logits(local.visible(cosine), context)
            logits = torch.where(local.own(block), self.margin.target_logit(target, context)[:, None], others)
            return self._all_columns(logits, sizes)

    def _all_columns(self, logits, sizes):
        """Own samples' rows with the columns of all ranks."""
        if self.ranks.size == 1:
            return logits
        columns = [split_rows(self.num_classes, rank, self.ranks.size).rows for rank in range(self.ranks.size)]
        return self.ranks.gather(logits.T.contiguous(), columns).T.split(sizes)[self.ranks.rank]

    def _global_batch(self, embeddings, labels, drawn, sizes=None):
        """Embeddings in the head's precision, labels and draws of all ranks, and which samples are faulty."""
        check_batch(embeddings, labels, self.embedding_size)
        sizes = sizes or self.ranks.batch_sizes(len(embeddings))
        if sum(sizes) == 0:
            raise ValueError('the global batch is empty: no rank has a sample')
        dtype = torch.promote_types(self.weight.dtype, torch.float32)
        raw = self.ranks.gather(embeddings.to(dtype), sizes)
        labels = self.ranks.gather(labels.to(torch.int64), sizes)
        drawn = None if drawn is None else self.ranks.gather(drawn.to(dtype), sizes)
        return raw, labels, drawn, self._check(raw.detach(), labels)

    def _local(self, raw, labels, rows, chunk):
        """This step's view of the local classes, unit embeddings, and the rows that take part."""
        if rows is None:
            weight, classes = self.weight, torch.arange(self.shard.rows, device=raw.device)
        else:
            per_class = self.margin.centers_per_class
            every = (rows[:, None] * per_class + torch.arange(per_class, device=rows.device)).flatten()
            if self.row_hook is not None:
                self.row_hook(every)
            weight, classes = functional.embedding(every, self.weight, sparse=True), rows
        local = LocalClasses(self.margin, weight, classes + self.shard.start, labels, self.ranks, chunk,
                             self.filter_threshold, self.compute_dtype)
        tiny = torch.finfo(raw.dtype).tiny
        unit = functional.normalize(raw, dim=1, eps=tiny) if self.margin.normalized else raw
        return local, unit, weight

    def _sample(self, labels):
        """Local classes of this step, int64 (S,), or None for all."""
        if self.sampler is None:
            return None
        rows = self.sampler.sample(labels - self.shard.start, self.step + self.training)
        if len(rows) > self.sampler.size:
            warnings.warn(f'the classes of a batch may be more than the sample of {self.sampler.size} (sample_rate '
                          f'{self.sample_rate}): all of them take part then, without random others', stacklevel=2)
        self.step += self.training
        self._sampled = len(rows) * self.margin.centers_per_class
        return rows

    def _context(self, local, unit, weight, raw, drawn, update):
        """The margin's context and the target cosines (N,), equal on all ranks."""
        margin, labels = self.margin, local.labels
        packed = torch.stack([local.target(unit, weight), *self._class_values(labels)])
        target, *values = self.ranks.sum(packed).unbind(0)
        norms = self.ranks.share(raw).norm(dim=1) if margin.needs_norms else None
        context = margin.begin(target, labels, norms=norms, drawn=drawn, update=update,
                               classes=dict(zip(margin.class_parameters, values)))
        if margin.needs_row == 'always' or (margin.needs_row == 'update' and update):
            sums = self.ranks.sum(local.row_sums(unit.detach(), weight.detach(), context))
            context = margin.finish(target, context, sums, update)
        return context, target

    def _class_values(self, labels):
        """Each class parameter at the labels, (N,), 0 where another rank holds it."""
        place = labels - self.shard.start
        owned = (place >= 0) & (place < self.shard.rows)
        place = place.clamp(0, self.shard.rows - 1)
        return [torch.where(owned, getattr(self.margin, name)[place], 0.0) for name in self.margin.class_parameters]

    def _losses(self, raw, labels, drawn, update):
        """Loss of each sample of the global batch, (N,), and its cosine to its own class, (N,)."""
        rows = self._sample(labels)
        if rows is None and self.row_hook is not None:
            self.row_hook(None)
        local, unit, weight = self._local(raw, labels, rows, self.chunk_size)
        context, target = self._context(local, unit, weight, raw, drawn, update)
        own = self.margin.target_logit(target, context)
        check_given(f'{type(self.margin).__name__}.target_logit', own, target.shape)
        others = local.others(unit, weight, target, context)
        if self.margin.objective == 'binary':
            losses = (self.margin.positive_weight * functional.softplus(-own, threshold=40)
                      + self.margin.negative_weight * self.ranks.sum(others))
        else:
            losses = functional.softplus(self.ranks.log_sum_exp(others) - own, threshold=40)
        return self._with_penalties(losses, context, raw, labels), target

    def _with_penalties(self, losses, context, raw, labels):
        shared = self.ranks.share(raw) if self.margin.needs_embeddings else None
        penalty = self.margin.penalty(context, embeddings=shared, labels=labels)
        losses = losses if penalty is None else losses + penalty
        by_class = self.margin.class_penalty()
        return losses if by_class is None else losses + self.ranks.sum(by_class)

    def extra_repr(self):
        """Size and shard, for printing a model."""
        return (f'num_classes={self.num_classes}, embedding_size={self.embedding_size}, '
                f'classes here {self.shard.start}..{self.shard.stop - 1}, sample_rate={self.sample_rate}, '
                f'chunk_size={self.chunk_size}')
