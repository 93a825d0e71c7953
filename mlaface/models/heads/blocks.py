"""The two passes over the local classes: own class first, then all others in blocks of columns."""
from itertools import chain

import torch
from torch.autograd import Function

from mlaface.models.margins.base import best_center


class LocalClasses:
    """One step's view of the classes of this rank.

    Cosines of a block are ``(e W_b^T) / |W_b|``: the rows are never copied in normalised form. With ``chunk`` the
    (N, C) matrix never exists: forward keeps one number a sample, backward makes each block's cosines again.

    Args:
        margin (Margin): The margin.
        weight (Tensor): Rows of the classes taken part in, (S * k, D).
        classes (Tensor): Their global numbers, ascending, int64 (S,).
        labels (Tensor): Global batch, int64 (N,).
        ranks (Ranks): For the gradients of what is not split over ranks.
        chunk (int | None): Classes a block. Default: all in one, and its cosines are kept for backward.
        threshold (float | None): Other cosines above it count as 0.
        compute_dtype (torch.dtype | None): Type of the large products' factors.
    """

    def __init__(self, margin, weight, classes, labels, ranks, chunk=None, threshold=None, compute_dtype=None):
        self.margin, self.classes, self.labels, self.ranks = margin, classes, labels, ranks
        self.count = len(classes)
        self.chunk, self.keep = (chunk, False) if chunk else (self.count, True)
        self.threshold, self.compute_dtype = threshold, compute_dtype
        self.per_class = margin.centers_per_class
        self.gradient = None  # of the weight, between the two backward passes
        self.inverse = self._inverse_norms(weight.detach()) if margin.normalized else None

    def _inverse_norms(self, weight):
        dtype = torch.promote_types(weight.dtype, torch.float32)
        norms = torch.linalg.vector_norm(weight, dim=1, dtype=dtype)
        return norms.clamp_(min=torch.finfo(dtype).tiny).reciprocal_()

    def blocks(self):
        """Slices of classes and of rows, in turn."""
        for start in range(0, self.count, self.chunk):
            stop = min(start + self.chunk, self.count)
            yield slice(start, stop), slice(start * self.per_class, stop * self.per_class)

    def product(self, left, right):
        """``left @ right`` with factors in ``compute_dtype`` and the sum in the type of ``left``."""
        if self.compute_dtype is None:
            return left @ right.to(left.dtype)
        low, high = left.to(self.compute_dtype), right.to(self.compute_dtype)
        if left.is_cuda:
            return torch.mm(low, high, out_dtype=left.dtype)
        return (low @ high).to(left.dtype)

    def cosines(self, embeddings, weight, rows):
        """Cosines (raw products if the margin takes those) to a block of rows, (N, B * k)."""
        products = self.product(embeddings, weight[rows].T)
        return products if self.inverse is None else products.mul_(self.inverse[rows])

    def own(self, block):
        """bool (N, B): the column is the sample's own class."""
        return self.labels[:, None] == self.classes[block]

    def visible(self, cosine):
        """Class cosines that the margin sees: best centre, filter; (N, B * k) to (N, B)."""
        cosine = best_center(cosine, self.per_class)
        return cosine if self.threshold is None else cosine.masked_fill(cosine > self.threshold, 0.0)

    def other_logits(self, cosine, block, context):
        """Logits of a block, -inf at own classes, (N, B)."""
        logits = self.margin.other_logits(self.visible(cosine), context)
        return logits.masked_fill(self.own(block), -torch.inf)

    @torch.no_grad()
    def row_sums(self, embeddings, weight, context):
        """The margin's sums over all other local columns, (N, K)."""
        total = None
        for block, rows in self.blocks():
            cosine = self.visible(self.cosines(embeddings, weight, rows))
            sums = self.margin.row_sums(cosine, ~self.own(block), context)
            total = sums if total is None else total + sums
        return total

    def target(self, embeddings, weight):
        """Cosine of each sample to its own class, (N,), 0 where another rank holds it."""
        return _Target.apply(self, embeddings, weight)

    def others(self, embeddings, weight, target, context):
        """Log-sum-exp (binary objective: sum of softplus) of the other local classes' logits, (N,).

        ``target`` only orders backward: the rows of own classes add to the gradient buffer that this pass fills.
        """
        keys = [key for key, value in context.items() if torch.is_tensor(value) and value.requires_grad]
        parameters = [p for name, p in self.margin.named_parameters() if name not in self.margin.class_parameters]
        constant = {key: value.detach() if torch.is_tensor(value) else value for key, value in context.items()}
        return _Others.apply(self, constant, keys, target, embeddings, weight,
                             *[context[key] for key in keys], *parameters)


class _Target(Function):
    @staticmethod
    def forward(ctx, local, embeddings, weight):
        place = torch.searchsorted(local.classes, local.labels).clamp(max=local.count - 1)
        owned = local.classes[place] == local.labels
        rows = place[:, None] * local.per_class + torch.arange(local.per_class, device=place.device)
        cosine = torch.einsum('nd,nkd->nk', embeddings, weight[rows].to(embeddings.dtype))
        if local.inverse is not None:
            cosine = cosine * local.inverse[rows]
        cosine, best = cosine.max(dim=1)
        rows = rows.gather(1, best[:, None])[:, 0]
        ctx.local = local
        ctx.save_for_backward(embeddings, weight, rows, owned, cosine)
        return torch.where(owned, cosine, 0.0)

    @staticmethod
    def backward(ctx, gradient):
        embeddings, weight, rows, owned, cosine = ctx.saved_tensors
        local = ctx.local
        gradient = torch.where(owned, gradient, 0.0)[:, None]
        centers = weight[rows].to(embeddings.dtype)
        towards = embeddings
        if local.inverse is not None:
            inverse = local.inverse[rows][:, None]
            centers, gradient_rows = centers * inverse, gradient * inverse
            towards = embeddings - cosine[:, None] * centers
        else:
            gradient_rows = gradient
        total = local.gradient if local.gradient is not None else torch.zeros_like(weight)
        local.gradient = None
        if ctx.needs_input_grad[2]:
            total.index_add_(0, rows, (gradient_rows * towards).to(total.dtype))
        return None, gradient * centers, total if ctx.needs_input_grad[2] else None


class _Others(Function):
    @staticmethod
    def forward(ctx, local, context, keys, target, embeddings, weight, *tensors):
        binary = local.margin.objective == 'binary'
        total = embeddings.new_full((len(embeddings),), 0.0 if binary else -torch.inf)
        ctx.kept = None
        for block, rows in local.blocks():
            cosine = local.cosines(embeddings, weight, rows)
            if local.keep:
                ctx.kept = cosine
            logits = local.other_logits(cosine, block, context)
            if binary:
                total = total + torch.nn.functional.softplus(logits, threshold=40).sum(1)
            else:
                total = torch.logaddexp(total, torch.logsumexp(logits, 1))
        ctx.local, ctx.context, ctx.keys = local, context, keys
        ctx.save_for_backward(embeddings, weight, total, *tensors)
        return total

    @staticmethod
    def backward(ctx, gradient):
        embeddings, weight, total, *tensors = ctx.saved_tensors
        local = ctx.local
        with torch.autocast(embeddings.device.type, enabled=False):
            leaves = [tensor.detach().requires_grad_() for tensor in tensors[:len(ctx.keys)]]
            parameters = tensors[len(ctx.keys):]
            context = {**ctx.context, **dict(zip(ctx.keys, leaves))}
            small = [torch.zeros_like(tensor) for tensor in chain(leaves, parameters)]
            into_embeddings = torch.zeros_like(embeddings)
            into_weight = torch.empty_like(weight) if ctx.needs_input_grad[5] else None
            for block, rows in local.blocks():
                cosine = local.cosines(embeddings, weight, rows) if ctx.kept is None else ctx.kept
                slope, into = _block_gradient(local, cosine, block, context, [*leaves, *parameters], gradient, total)
                for sum_, part in zip(small, into):
                    if part is not None:
                        sum_ += part
                _add_block(local, embeddings, weight, rows, cosine, slope, into_embeddings, into_weight)
            for part in small[len(leaves):]:
                part *= local.ranks.size  # the parameters' own hook has shared out what autograd.grad found
            local.ranks.sum_in_place(small)
        local.gradient = into_weight
        return None, None, None, None, into_embeddings, None, *small


def _block_gradient(local, cosine, block, context, others, gradient, total):
    """Gradient of a block's part in the loss with respect to its cosines (N, B * k) and to ``others``."""
    with torch.enable_grad():
        leaf = cosine.detach().requires_grad_()
        logits = local.other_logits(leaf, block, context)
    with torch.no_grad():
        if local.margin.objective == 'binary':
            weights = torch.sigmoid(logits)
        else:
            weights = torch.exp(logits - total.clamp(min=torch.finfo(total.dtype).min)[:, None])
        weights *= gradient[:, None]
    slope, *into = torch.autograd.grad(logits, [leaf, *others], weights, allow_unused=True)
    return slope, into


def _add_block(local, embeddings, weight, rows, cosine, slope, into_embeddings, into_weight):
    """Carry a block's slope to the embeddings and, in place, to the rows of the weight."""
    across = None
    if local.inverse is not None:
        inverse = local.inverse[rows]
        across = (slope * cosine).sum(0).mul_(inverse).mul_(inverse)
        slope = slope * inverse
    into_embeddings += local.product(slope, weight[rows])
    if into_weight is not None:
        if local.compute_dtype is None and into_weight.dtype == slope.dtype:
            torch.mm(slope.T, embeddings, out=into_weight[rows])
        else:
            into_weight[rows] = local.product(slope.T, embeddings).to(into_weight.dtype)
        if across is not None:
            into_weight[rows].addcmul_(weight[rows], across[:, None].to(weight.dtype), value=-1)
