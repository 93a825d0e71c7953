"""What every margin is: target cosine in, logits out, a block of columns at a time."""
import math
from numbers import Real

import torch
from torch import nn


def check(condition, name, message):
    """Refuse a hyper-parameter: raise a ValueError that names the margin, unless ``condition`` holds."""
    if not condition:
        raise ValueError(f'{name}: {message}')


class Margin(nn.Module):
    """Base of all margins.

    The head computes the cosine of each sample to its own class first, then hands over the cosines to the other
    classes in blocks of columns; so a margin works sharded, sampled and chunked without knowing it. A new margin
    overrides the pieces it changes, often ``target_logit`` alone:

    1. ``begin``: tensors ``(N,)`` of the global batch that the logits depend on; running statistics move here.
    2. ``row_sums`` and ``finish``, if ``needs_row``: a first pass over the other cosines, summed over all columns.
    3. ``target_logit`` and ``other_logits``: the logits.
    4. ``penalty`` and ``class_penalty``: further terms of the loss.

    All ranks see the same global batch, so state and context are equal on all ranks. A parameter that is not split
    over ranks is used in ``other_logits``, ``target_logit`` or ``penalty``; one value a class is named in
    ``class_parameters`` and arrives, gathered for the batch's labels, in ``begin``.

    Attributes:
        normalized (bool): True if columns are cosines, False if they are raw inner products.
        needs_norms (bool): True if ``begin`` and ``penalty`` read the norms of the embeddings.
        needs_row (str | None): None, ``'update'`` (only when statistics move) or ``'always'``.
        needs_embeddings (bool): True if ``penalty`` reads the embeddings of the global batch.
        objective (str): ``'softmax'`` (cross-entropy) or ``'binary'`` (softplus of each logit by itself).
        positive_weight, negative_weight (float): Weights of the two sums of the binary objective.
        centers_per_class (int): Rows of the weight per class; a class's cosine is the largest of them.
        class_parameters (tuple[str]): Names of parameters with one value a class, split over ranks like the classes.

    Args:
        s (float): Scale of the logits, > 0. Default: 64.
    """
    normalized = True
    needs_norms = False
    needs_row = None
    needs_embeddings = False
    objective = 'softmax'
    positive_weight = 1.0
    negative_weight = 1.0
    centers_per_class = 1
    class_parameters = ()

    def __init__(self, s=64.0):
        super().__init__()
        self.require_numbers(s=s)
        self.require(s > 0, f'the scale s must be positive, got {s}')
        self.s = float(s)
        self.num_classes = None

    def require(self, condition, message):
        """Refuse a hyper-parameter unless ``condition`` holds.

        Raises:
            ValueError: Names the margin and what is wrong.
        """
        check(condition, type(self).__name__, message)

    def require_numbers(self, **numbers):
        """Refuse hyper-parameters that are no finite numbers, each by its name.

        Raises:
            ValueError: Names the margin, the hyper-parameter and its value.
        """
        for name, value in numbers.items():
            self.require(isinstance(value, Real) and math.isfinite(value), f'{name} must be a number, got {value!r}')

    def set_num_classes(self, num_classes, local_classes=None):
        """Tell the number of classes, before the first batch; start values may depend on it.

        Args:
            num_classes (int): C, over all ranks.
            local_classes (int | None): Classes held by this rank. Default: all.
        """
        self.num_classes = num_classes

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """Start a global batch.

        Args:
            target (Tensor): Cosines to the own class, (N,).
            labels (Tensor): Classes, int64 (N,).
            norms (Tensor | None): Norms of the embeddings, (N,), if ``needs_norms``.
            drawn (Tensor | None): Given random margins, (N,), instead of own draws.
            classes (dict[str, Tensor] | None): Each of ``class_parameters`` at the labels, (N,).
            update (bool): Move running statistics. Default: False.

        Returns:
            dict[str, Tensor]: Context for the other pieces; tensors of shape (N,) or ().
        """
        return {}

    def row_sums(self, cosine, valid, context):
        """Sums over a block of other columns, if ``needs_row``.

        Args:
            cosine (Tensor): (N, B).
            valid (Tensor): bool (N, B), False at the own class and at columns to leave out.
            context (dict): From ``begin``.

        Returns:
            Tensor: (N, K); added up over blocks and ranks, without gradient.
        """
        raise NotImplementedError

    def finish(self, target, context, sums, update=False):
        """Complete the context from the row sums.

        Args:
            target (Tensor): (N,).
            context (dict): From ``begin``.
            sums (Tensor): (N, K), over all other columns.
            update (bool): Move running statistics. Default: False.

        Returns:
            dict[str, Tensor]: The context.
        """
        return context

    def target_logit(self, target, context):
        """Logit of the own class, (N,), from its cosine (N,)."""
        return self.s * target

    def other_logits(self, cosine, context):
        """Logits of other classes, (N, B), from their cosines (N, B); the value at an own class is not used."""
        return self.s * cosine

    def penalty(self, context, embeddings=None, labels=None):
        """Further loss of each sample, (N,), or None; embeddings (N, D) are given if ``needs_embeddings``."""
        return None

    def class_penalty(self):
        """Further loss from this rank's class values, a scalar that is summed over ranks, or None."""
        return None

    def forward(self, cosine, labels, *, norms=None, drawn=None, update=None):
        """Logits of whole rows.

        Args:
            cosine (Tensor): (N, C), or (N, C * k) with k centres a class, a class's columns adjacent.
            labels (Tensor): int64 (N,).
            norms (Tensor | None): Norms of the embeddings, (N,), for margins with ``needs_norms``.
            drawn (Tensor | None): Given random margins, (N,).
            update (bool | None): Move running statistics. Default: as ``training`` says.

        Returns:
            Tensor: Logits after margin and scale, (N, C).
        """
        update = self.training if update is None else update
        context, target, cosine = self.prepare(cosine, labels, norms, drawn, update)
        own = labels[:, None] == torch.arange(cosine.shape[1], device=labels.device)
        return torch.where(own, self.target_logit(target, context)[:, None], self.other_logits(cosine, context))

    def prepare(self, cosine, labels, norms, drawn, update):
        """Context, target (N,) and class cosines (N, C) of whole rows; see ``forward``."""
        cosine = best_center(cosine, self.centers_per_class)
        if self.num_classes is None:
            self.set_num_classes(cosine.shape[1])
        if self.needs_norms and norms is None:
            raise ValueError(f'{type(self).__name__} needs norms=, the norms of the embeddings')
        target = cosine.gather(1, labels[:, None])[:, 0]
        classes = {name: getattr(self, name)[labels] for name in self.class_parameters}
        context = self.begin(target, labels, norms=norms, drawn=drawn, classes=classes, update=update)
        if self.needs_row == 'always' or (self.needs_row == 'update' and update):
            valid = labels[:, None] != torch.arange(cosine.shape[1], device=labels.device)
            with torch.no_grad():
                sums = self.row_sums(cosine, valid, context)
            context = self.finish(target, context, sums, update)
        return context, target, cosine


def best_center(cosine, per_class):
    """Cosine of a class from those of its centres: the largest; (N, C * k) to (N, C)."""
    if per_class == 1:
        return cosine
    return cosine.unflatten(1, (-1, per_class)).max(dim=2).values


def sine(cosine):
    """sin(arccos(c)) with finite gradient: kept above 1e-15, where the gradient is 0."""
    return (1 - cosine * cosine).clamp(min=1e-30).sqrt()


def angle(cosine):
    """arccos(c) in radians with finite gradient at the poles."""
    return torch.atan2(sine(cosine), cosine)


def _like(tensor, value):
    """A number or tensor of a tensor's type, on its device; a number is made there, so that nobody waits for a copy."""
    if torch.is_tensor(value):
        return value.to(tensor)
    return torch.full((), value, dtype=tensor.dtype, device=tensor.device)


def cos_plus(cosine, m):
    """cos(theta + m) for any angle, without guard."""
    m = _like(cosine, m)
    return cosine * torch.cos(m) - sine(cosine) * torch.sin(m)


def arc(cosine, m):
    """cos(theta + m) with the monotone guard: ``c - m sin(m)`` where theta + m passes pi.

    Args:
        cosine (Tensor): (N,).
        m (float | Tensor): Margin in radians; a tensor may have a gradient.

    Returns:
        Tensor: (N,). Source: Deng et al., CVPR 2019, and its public code for the guard.
    """
    m = _like(cosine, m)
    return torch.where(cosine > torch.cos(math.pi - m), cos_plus(cosine, m), cosine - m * torch.sin(m))
