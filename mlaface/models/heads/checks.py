"""What the head refuses: arguments, and batches, named at once on a processor and one step later on a GPU."""
from numbers import Integral

import torch

from mlaface.utils.errors import InputError


def check_arguments(num_classes, embedding_size, sample_rate, chunk_size, reduction, compute_dtype, ranks):
    """Refuse what the head cannot be built from."""
    def require(condition, message):
        if not condition:
            raise ValueError(f'MarginHead: {message}')
    require(isinstance(num_classes, Integral) and num_classes >= 1,
            f'num_classes must be a whole number of at least 1, got {num_classes}')
    require(num_classes >= ranks.size, f'{num_classes} classes cannot be split over {ranks.size} ranks: '
            'each rank needs one at least')
    require(embedding_size >= 1, f'embedding_size must be at least 1, got {embedding_size}')
    require(0 < sample_rate <= 1, f'sample_rate must lie in (0, 1], got {sample_rate}')
    require(chunk_size is None or isinstance(chunk_size, Integral) and chunk_size >= 1,
            f'chunk_size must be at least 1, or None, got {chunk_size}')
    require(reduction in ('mean', 'sum', 'none'), f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    require(compute_dtype in (None, 'bfloat16', 'float16'),
            f"compute_dtype must be None, 'bfloat16' or 'float16', got {compute_dtype!r}")


def checked_threshold(threshold, margin):
    """The filter's threshold, refused where it is no cosine or the margin takes none."""
    if threshold is not None and not (margin.normalized and -1 <= threshold <= 1):
        raise ValueError(f'MarginHead: filter_threshold is a bound on cosines, in [-1, 1]; got {threshold} with '
                         f'{type(margin).__name__}, which takes {"cosines" if margin.normalized else "raw products"}')
    return threshold


def check_given(what, value, shape):
    """Check what a plugin gives, which would be broadcast or fail far from it: a tensor of a shape.

    Args:
        what (str): Who gives it, for the message.
        value: What was given.
        shape (Sequence[int]): What it must be of.

    Raises:
        InputError: Names both shapes.
    """
    if not torch.is_tensor(value) or value.shape != tuple(shape):
        found = tuple(value.shape) if torch.is_tensor(value) else type(value).__name__
        raise InputError(f'{what} gives {found}; it must be a tensor of shape {tuple(shape)}')


def check_terms(terms, reduction, margin):
    """Refuse further losses where there is no mean to add them to, or no cosine where one is needed."""
    if terms is None:
        return
    if reduction != 'mean':
        raise ValueError(f"MarginHead: losses are added to the mean over the global batch: set reduction='mean', not "
                         f'{reduction!r}, or leave losses out')
    held = [name for name, term in terms.terms.items() if term.needs_centers]
    if held and not margin.normalized:
        raise ValueError(f'MarginHead: {held[0]} needs cosines to class centres, and {type(margin).__name__} takes raw '
                         'products')


def check_batch(embeddings, labels, size):
    """Refuse a batch of another shape than the head's."""
    if embeddings.ndim != 2 or embeddings.shape[1] != size:
        raise ValueError(f'embeddings must be (N, {size}) as embedding_size says, got {tuple(embeddings.shape)}')
    if labels.shape != embeddings.shape[:1]:
        raise ValueError(f'labels must be ({len(embeddings)},), one for each embedding, got {tuple(labels.shape)}')
    if labels.is_floating_point():
        raise ValueError(f'labels must be whole numbers, got {labels.dtype}')


def label_error(label, num_classes):
    """The error for a label that no class has."""
    return InputError(f'label {label} is outside 0 .. {num_classes - 1}: the head has {num_classes} classes')


class BatchCheck:
    """Finds labels out of range and embeddings that are not finite.

    On a processor the error is raised at once, on all ranks alike. On a GPU asking would wait for the device, so the
    finding is copied in the background and raised in the first later step that finds it there; meanwhile the
    faulty batch's loss is NaN, so that it cannot pass for a number.

    Args:
        num_classes (int): C.
    """

    def __init__(self, num_classes):
        self.num_classes = num_classes
        self._pending = []

    def __deepcopy__(self, memo):
        return BatchCheck(self.num_classes)

    def __call__(self, embeddings, labels):
        """Check a global batch.

        Args:
            embeddings (Tensor): (N, D).
            labels (Tensor): int64 (N,).

        Returns:
            Tensor: bool (N,), True at faulty samples.

        Raises:
            InputError: Names the first label out of range, or the rows that are not finite.
        """
        wrong = (labels < 0) | (labels >= self.num_classes)
        broken = ~torch.isfinite(embeddings).all(1)
        if embeddings.is_cuda:
            self._raise_pending()
            self._remember(labels, wrong, broken)
        else:
            self.explain(labels, wrong, broken)
        return wrong | broken

    def explain(self, labels, wrong, broken):
        """Raise what is wrong with a batch, if anything; tensors on the processor."""
        if wrong.any():
            raise label_error(int(labels[wrong][0]), self.num_classes)
        if broken.any():
            rows = broken.nonzero()[:, 0].tolist()
            more = ' and more' if len(rows) > 8 else ''
            raise InputError(f'embeddings are not finite in rows {rows[:8]}{more} of the global batch '
                             f'of {len(labels)}: the network diverged or an image was broken')

    def _remember(self, labels, wrong, broken):
        host = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in (labels, wrong, broken)]
        for copy, tensor in zip(host, (labels, wrong, broken)):
            copy.copy_(tensor, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._pending.append((event, host))

    def explain_labels(self):
        """Raise an earlier batch's label out of range, if there was one; waits for the device."""
        for event, (labels, wrong, _) in self._pending:
            event.synchronize()
            if wrong.any():
                raise label_error(int(labels[wrong][0]), self.num_classes)

    def _raise_pending(self):
        while self._pending and self._pending[0][0].query():
            self.explain(*self._pending.pop(0)[1])
