"""A face goes through a network, and what its attention does on the way is written down."""
from typing import NamedTuple

import numpy as np
import torch

from mlaface.models.backbones.base import Backbone
from mlaface.models.branches.map_attention import MapSelfAttention
from mlaface.models.branches.patch_attention import PatchSelfAttention
from mlaface.models.gates import LearnableGate
from mlaface.registry import ATTENTION

TINY = 1e-12


class Block(NamedTuple):
    """What one attention plugin did with a map (C, h, w).

    Args:
        name (str): Of the module, as in ``model.named_modules()``.
        kind (str): Its class.
        stage (int or None): Of the backbone, the stem is 0; None outside its stages.
        places (ndarray float32 (h, w)): ``mean |out| / mean |in|`` over channels.
        channels (ndarray float32 (C,)): The plugin's gate for each channel, where it has a method ``channel_gate``;
            else ``mean |out| / mean |in|`` over places.
        gated (bool): Which of the two.
    """
    name: str
    kind: str
    stage: int | None
    places: np.ndarray
    channels: np.ndarray
    gated: bool


class Attended(NamedTuple):
    """What the places of a branch's map attend to.

    Args:
        name (str): Of the module.
        kind (str): Its class.
        shape (tuple[int, int]): h and w of the map, P = h w.
        weights (ndarray float32 (heads, P, P)): Rows for queries; each sums to 1.
    """
    name: str
    kind: str
    shape: tuple
    weights: np.ndarray

    def place(self, point, size):
        """Row and column (ints) of the place over a point: x and y in pixels of a crop of ``size`` (h, w)."""
        (x, y), (height, width) = point, size
        return (min(int(y * self.shape[0] / height), self.shape[0] - 1),
                min(int(x * self.shape[1] / width), self.shape[1] - 1))

    def row(self, place):
        """What a place (row, column) attends to, for each head (ndarray float32 (heads, h, w)); a head sums to 1."""
        return self.weights[:, place[0] * self.shape[1] + place[1]].reshape(-1, *self.shape)

    @property
    def received(self):
        """How much each place is attended to by all (ndarray float32 (h, w)): a mean, which sums to 1."""
        return self.weights.mean((0, 1)).reshape(self.shape)


class Observer:
    """Looks on while a network embeds a face.

    Args:
        model (FaceRecognizer): Any; one without attention gives nothing to see.

    Attributes:
        plugins (dict[str, nn.Module]): The attention plugins by name, in the network's order.
        branches (dict[str, nn.Module]): The branches of self-attention by name.
    """

    def __init__(self, model):
        self.model = model
        kinds = tuple(kind for kind in ATTENTION.classes().values() if isinstance(kind, type))
        named = list(model.named_modules())
        self.plugins = {name: module for name, module in named
                        if isinstance(module, kinds) or getattr(module, 'is_attention', False)}
        self.branches = {name: module for name, module in named
                         if isinstance(module, (PatchSelfAttention, MapSelfAttention))}
        self._stages = _stages(model)

    def __bool__(self):
        """Whether there is any attention."""
        return bool(self.plugins or self.branches)

    @torch.inference_mode()
    def __call__(self, crop):
        """One face.

        Args:
            crop (ndarray uint8 (3, H, W)): Aligned, RGB.

        Returns:
            tuple: list[Block] in the order of the network, and list[Attended].
        """
        blocks, attended, hooks = [], [], []

        def watch(modules, made, found):
            for name, module in modules.items():
                hooks.append(module.register_forward_hook(
                    lambda module, inputs, output, name=name: found.append(made(name, module, inputs[0], output))))
        watch(self.plugins, self._block, blocks)
        watch(self.branches, _attended, attended)
        try:
            device = next(self.model.parameters()).device
            self.model.extract(torch.from_numpy(np.ascontiguousarray(crop))[None].to(device))
        finally:
            for hook in hooks:
                hook.remove()
        return blocks, attended

    def _block(self, name, module, taken, given):
        before, after = taken[0].float().abs(), given[0].float().abs()
        gate = module.channel_gate(taken) if hasattr(module, 'channel_gate') else None
        channels = gate[0].flatten() if gate is not None else \
            after.mean((1, 2)) / before.mean((1, 2)).clamp_min(TINY)
        places = after.mean(0) / before.mean(0).clamp_min(TINY)
        return Block(name, type(module).__name__, self._stages.get(module), _array(places), _array(channels),
                     gate is not None)


def gates_of(model):
    """The learned scalars where two signals meet, of attention and of fusions.

    Args:
        model (FaceRecognizer): Any.

    Returns:
        dict[str, float]: Name of the parameter to its value, ``fusion.gate[1]`` where there are several.
    """
    found = {f'{name}.gamma': module.gamma for name, module in model.named_modules()
             if isinstance(module, LearnableGate)}
    if torch.is_tensor(getattr(model.fusion, 'gate', None)):
        found['fusion.gate'] = model.fusion.gate
    return {name if gate.numel() == 1 else f'{name}[{number}]': float(value) for name, gate in found.items()
            for number, value in enumerate(gate.detach().flatten())}


def _attended(name, module, taken, given):
    weights = module.attention(module.conv1_(taken))[:, None] if isinstance(module, PatchSelfAttention) else \
        module.attention(taken)
    return Attended(name, type(module).__name__, tuple(given.shape[2:]), _array(weights[0]))


def _stages(model):
    """Module to the number of its stage."""
    if not isinstance(model.backbone, Backbone):
        return {}
    return {module: number for number, parts in enumerate(model.backbone.stages()) for part in parts
            for module in part.modules()}


def _array(tensor):
    return tensor.float().cpu().numpy()
