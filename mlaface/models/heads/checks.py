"""Bad batches: named at once on a processor, one step later on a GPU, and never a wrong number."""
import torch


def label_error(label, num_classes):
    """The error for a label that no class has."""
    return ValueError(f'label {label} is outside 0 .. {num_classes - 1}: the head has {num_classes} classes')


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
            ValueError: Names the first label out of range, or the rows that are not finite.
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
            raise ValueError(f'embeddings are not finite in rows {rows[:8]}{more} of the global batch '
                             f'of {len(labels)}: the network diverged or an image was broken')

    def _remember(self, labels, wrong, broken):
        host = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in (labels, wrong, broken)]
        for copy, tensor in zip(host, (labels, wrong, broken)):
            copy.copy_(tensor, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._pending.append((event, host))

    def _raise_pending(self):
        while self._pending and self._pending[0][0].query():
            self.explain(*self._pending.pop(0)[1])
