"""Memory of a step, counted from the tensors that are alive and not from the process."""
import contextlib
import weakref

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mlaface.engine.optimizers.lazy import RowLazy
from mlaface.registry import MODELS, OPTIMIZERS

LARGEST_TRACED = 8


class AllocationTracker(TorchDispatchMode):
    """Counts the bytes of all tensors that operations make while it is active, and their peak.

    Works on real tensors and on fake ones, which have shapes and no data. Buffers that a kernel uses inside and gives
    back are not seen, nor is what the allocator keeps in reserve.

    Attributes:
        live (int): Bytes alive now.
        peak (int): Most bytes that were alive at once.
    """

    def __init__(self):
        super().__init__()
        self.live = self.peak = 0
        self._known = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation and count what it made; what was there before (weights, state) is not counted."""
        for storage in self._storages((args, kwargs)):
            self._note(storage, 0)
        result = func(*args, **(kwargs or {}))
        for storage in self._storages(result):
            self._note(storage, storage.nbytes())
        return result

    @staticmethod
    def _storages(tree):
        for leaf in tree_leaves(tree):
            if isinstance(leaf, torch.Tensor):
                parts = [leaf._indices(), leaf._values()] if leaf.is_sparse else [leaf]
                yield from (part.untyped_storage() for part in parts)

    def _note(self, storage, size):
        """Count a storage once, until it is freed."""
        key = storage._cdata
        if key not in self._known:
            self._known.add(key)
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._free, key, size)

    def _free(self, key, size):
        self._known.discard(key)
        self.live -= size


def tensor_bytes(tensors):
    """Bytes of tensors, summed."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def build_trunk(model):
    """The trunk of a recognizer in training mode, for tensors without data.

    Args:
        model (dict): Config of the recognizer.

    Returns:
        nn.Module: Without head.
    """
    # neither option changes sizes, and fake tensors can do neither
    plain = {key: value for key, value in model.items() if key not in ('compile', 'channels_last')}
    return MODELS.build({**plain, 'head': None}).train()


def trunk_memory(model, batch_size, amp=None):
    """What a trunk needs for a training step, from its operations on tensors without data.

    Args:
        model (dict): Config of the recognizer; its head is left out.
        batch_size (int): Images on a rank.
        amp (str | None): 'bfloat16' or 'float16' for mixed precision.

    Returns:
        dict: Bytes of ``parameters``, of those that are ``learning``, of ``buffers``, ``activations`` (what the forward
        pass leaves for the backward pass, with the images), ``step`` (most of activations, temporaries and gradients at
        once), of the ``largest`` parameter that learns; ``embedding_size`` and ``numbers`` (that learn) besides.
    """
    with FakeTensorMode(allow_non_fake_inputs=True):
        trunk = build_trunk(model)
        sizes = [batch_size] if batch_size <= LARGEST_TRACED else [LARGEST_TRACED // 2, LARGEST_TRACED]
        traced = [_trace(trunk, size, amp) for size in sizes]
        if len(traced) == 1:
            activations, step = traced[0]
        else:  # both grow by the same bytes with every image
            activations, step = (round(low + (high - low) / (sizes[1] - sizes[0]) * (batch_size - sizes[0]))
                                 for low, high in zip(*traced))
        learning = [parameter for parameter in trunk.parameters() if parameter.requires_grad]
        return dict(parameters=tensor_bytes(trunk.parameters()), learning=tensor_bytes(learning),
                    buffers=tensor_bytes(trunk.buffers()), activations=activations, step=step,
                    embedding_size=trunk.embedding_size,
                    largest=max((tensor_bytes([parameter]) for parameter in learning), default=0),
                    numbers=sum(parameter.numel() for parameter in learning))


def _trace(trunk, batch_size, amp):
    """Bytes that the forward pass leaves, and the most at once until the end of the backward pass."""
    for parameter in trunk.parameters():
        parameter.grad = None
    size = trunk.backbone.in_size
    with AllocationTracker() as tracker:
        images = torch.zeros(batch_size, 3, size, size, dtype=torch.uint8)
        with _autocast(amp):
            embeddings = trunk(images, mode='tensor')
        activations = tracker.live
        if embeddings.requires_grad:
            embeddings.float().sum().backward()
    return activations, tracker.peak


def _autocast(amp):
    return torch.autocast('cpu', getattr(torch, amp)) if amp else contextlib.nullcontext()


def measured_step(model, batch_size, optimizer, amp=None, seed=0):
    """Bytes of a real training step on one process, counted while it runs.

    Args:
        model (dict): Config of the recognizer with its head and ``num_classes``.
        batch_size (int): Images.
        optimizer (dict): Config of the optimizer.
        amp (str | None): 'bfloat16' or 'float16'.
        seed (int): Of images and labels.

    Returns:
        dict: ``kept`` (weights, buffers, optimizer state) and ``peak`` bytes.
    """
    network = MODELS.build(model).train()
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    update = OPTIMIZERS.build(optimizer, default_args=dict(params=learning))
    if isinstance(update, RowLazy):
        update.attach(network)
    generator = torch.Generator().manual_seed(seed)
    size = network.backbone.in_size
    images = torch.randint(0, 256, (batch_size, 3, size, size), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, model['head']['num_classes'], (batch_size,), generator=generator)
    for _ in range(2):  # the first step makes the optimizer's state
        tracker = AllocationTracker()
        with tracker:
            with _autocast(amp):
                loss = network(images, labels, mode='loss')['loss']
            loss.backward()
            update.step()
            update.zero_grad()
            del loss
    state = [value for entry in update.state.values() for value in entry.values() if isinstance(value, torch.Tensor)]
    kept = tensor_bytes([*network.parameters(), *network.buffers(), *state])
    return dict(kept=kept, peak=kept + tracker.peak)
