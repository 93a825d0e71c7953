"""What a loss beside the margin is, and how a head adds several."""
import contextlib
import random
from functools import partial

import numpy as np
import torch
from torch import nn

from mlaface.registry import LOSSES
from mlaface.utils.errors import InputError

MARGIN = 'margin'  # name of the head's own loss beside these


class FaceLoss(nn.Module):
    """Base of the losses beside the margin.

    A loss sees the global batch: embeddings and labels of all ranks, the same on each. What it gives is equal on all
    ranks, and its gradients are shared out, so that sums over ranks are those of one rank with the whole batch. A
    parameter of a loss must be replicated.

    Attributes:
        needs_images (bool): Whether ``targets`` is called, with this rank's images. Default False.
        needs_pairs (bool): Whether it learns of several images of a person in a batch alone. Default False.
        needs_centers (bool): Whether ``forward`` takes ``cosine``: to the centre of the own class, (N,). Default False.
    """

    needs_images = False
    needs_pairs = False
    needs_centers = False

    def __init__(self):
        super().__init__()

    def targets(self, images):
        """What this rank's images (N, 3, H, W) give, (N, K); ``forward`` gets it of all ranks, without gradient."""
        raise NotImplementedError

    def forward(self, embeddings, labels, **needed):
        """The loss, a scalar, of raw embeddings (N, D) and labels (N,) of the global batch; ``needed``: ``targets``
        (N, K), ``cosine`` (N,)."""
        raise NotImplementedError


class LossTerms(nn.Module):
    """Losses by name, each with its weight.

    Args:
        configs (Sequence[dict]): Of the losses; beside ``type`` and its arguments ``weight`` (default 1) and ``name``
            (default: that of the type, ``triplet_margin`` for ``pml.TripletMarginLoss``).
        ranks (Ranks): Those of the head.
        seed (int): Of losses that draw.

    Raises:
        ValueError: If a weight is no number of at least 0, two losses have one name, or one is no loss.
    """

    def __init__(self, configs, ranks, seed=0):
        super().__init__()
        self.ranks, self.seed, self.step = ranks, seed, 0
        self.terms, self.weights = nn.ModuleDict(), {}
        for config in configs:
            config = dict(config)
            weight, name = config.pop('weight', 1.0), config.pop('name', None) or short_name(config.get('type'))
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < float('inf'):
                raise ValueError(f'losses: the weight of {name} is {weight!r}; it must be a number of at least 0')
            if name in self.terms:
                raise ValueError(f'losses: two have the name {name!r}: give one of them another, name=...')
            if name == MARGIN:
                raise ValueError(f'losses: {name!r} is what the head calls its own loss: give another, name=...')
            term = LOSSES.build(config)
            if not isinstance(term, FaceLoss):
                raise ValueError(f'losses: {config["type"]} is no loss of embeddings and labels ({FaceLoss.__name__} '
                                 'of mlaface.models.losses.base); miners and distances are arguments of one')
            self.terms[name], self.weights[name] = term, float(weight)
        for parameter in self.parameters():
            if ranks.size > 1 and parameter.requires_grad:
                parameter.register_hook(partial(_divide, ranks.size))

    @property
    def needs_images(self):
        """Whether a loss does (bool)."""
        return any(term.needs_images for term in self.terms.values())

    def get_extra_state(self):
        """The number of the step, which losses that draw depend on."""
        return dict(step=self.step)

    def set_extra_state(self, state):
        """Put back what ``get_extra_state`` gave."""
        self.step = int(state['step'])

    @torch.no_grad()
    def targets(self, images, sizes):
        """What images give to learn from, of all ranks.

        Args:
            images (Tensor or None): This rank's, (N, 3, H, W).
            sizes (list[int]): Images of each rank.

        Returns:
            dict[str, Tensor]: Float32, by the name of the loss.

        Raises:
            ValueError: If a loss needs images and there are none.
        """
        asking = {name: term for name, term in self.terms.items() if term.needs_images}
        if asking and images is None:
            raise ValueError(f'losses: {", ".join(asking)} needs the images, which this recognizer does not give its '
                             'head: it calls head.loss(embeddings, labels, images=images) where head.needs_images')
        return {name: self.ranks.gather(term.targets(images).float(), sizes) for name, term in asking.items()}

    def forward(self, raw, labels, targets, cosine):
        """Each loss of the global batch.

        Args:
            raw (Tensor): Embeddings of all ranks, (N, D).
            labels (Tensor): int64 (N,).
            targets (dict[str, Tensor]): From ``targets``.
            cosine (Tensor): To the centres of the own classes, (N,).

        Returns:
            dict[str, Tensor]: Scalars by name, not weighted.
        """
        shared, found = self.ranks.share(raw), {}
        self.step += self.training
        for name, term in self.terms.items():
            needed = {**({'targets': targets[name].to(raw)} if term.needs_images else {}),
                      **({'cosine': cosine} if term.needs_centers else {})}
            with _drawing(self.seed * 1000003 + self.step, raw.device):
                found[name] = term(shared, labels, **needed)
            if not torch.is_tensor(found[name]) or found[name].dim():
                given = tuple(found[name].shape) if torch.is_tensor(found[name]) else type(found[name]).__name__
                raise InputError(f'losses: {name} ({type(term).__name__}) gives {given}; a loss is a scalar')
        return found

    def weighted(self, values):
        """The sum of ``forward``'s losses by their weights, a scalar."""
        return sum(self.weights[name] * value for name, value in values.items())


def _divide(size, gradient):
    return gradient / size


@contextlib.contextmanager
def random_numbers_kept(device):
    """Global random numbers go on behind the block as if it had drawn none, with it or without."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == 'cuda' else []):
        yield
    random.setstate(python)
    np.random.set_state(numpy)


@contextlib.contextmanager
def _drawing(seed, device):
    """Global random numbers from a seed inside, so that ranks draw alike and a resumed run as before."""
    with random_numbers_kept(device):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % (1 << 32))
        yield


def short_name(kind):
    """``triplet_margin`` of ``'pml.TripletMarginLoss'``."""
    name = str(kind).rpartition('.')[2]
    name = name.removesuffix('Loss') or name
    return ''.join('_' + c.lower() if c.isupper() and n and not name[n - 1].isupper() else c.lower()
                   for n, c in enumerate(name))
