"""Which network a state dict is of: the one whose tensors it holds, or the nearest one and what differs."""
import math
import re
from dataclasses import dataclass

import torch

from mlaface.export.names import our_blocks, our_units, subsamples
from mlaface.models.backbones.edgeface import SIZES
from mlaface.models.backbones.iresnet import DEPTHS
from mlaface.registry import ATTENTION, MODELS

SHOWN = 3
VITS = {(256, 12): 'ViT-T', (512, 12): 'ViT-S', (512, 24): 'ViT-B', (768, 24): 'ViT-L'}
COUNTER = '.num_batches_tracked'  # absent from files of old torch; nothing in a network depends on it


@dataclass(frozen=True)
class Network:
    """A network by its config.

    Attributes:
        config (dict): Of a ``FaceRecognizer`` without head.
        title (str): What people call it.
        state (dict[str, Tensor]): Its state dict on the meta device: names, shapes and types alone.
    """
    config: dict
    title: str
    state: dict


def _size(state, name, axis, default):
    """Length of an axis of a tensor; the default where the tensor is not there or has no such axis."""
    shape = getattr(state.get(name), 'shape', ())
    return shape[axis] if axis < len(shape) else default


def _neck(kind, channels, size, embedding):
    return dict(type=kind, in_channels=channels, in_size=size, embedding_size=embedding)


def _attention(state):
    """Attention and its stages, by the names in the first block that has it, as arguments of a backbone."""
    found = [match for name in state if (match := re.match(r'(backbone\.layer([1-4])\.\d+\.attn\.)(.*)', name))]
    if not found:
        return {}
    stages, block = sorted({int(match[2]) for match in found}), found[0][1]
    held = {(match[3], state[match[0]].shape) for match in found if match[1] == block}
    channels = _size(state, block.replace('.attn.', '.bn3.weight'), 0, 64)

    def foreign(kind):
        with torch.device('meta'):
            plugin = ATTENTION.build(dict(type=kind, channels=channels))
        return len(held ^ {(name, tensor.shape) for name, tensor in plugin.state_dict().items()})
    ours = [name for name in ATTENTION.names() if not name.endswith('.*')]
    return dict(attention=dict(type=min(ours, key=foreign)), attention_stages=tuple(stages))


def _iresnet(state):
    """The IResNet, or MLA-ArcFace, that is nearest to a state dict."""
    counts = our_units(state)
    depth = min(DEPTHS, key=lambda depth: sum(abs(a - b) for a, b in zip(DEPTHS[depth], counts)))
    channels = max(8, _size(state, 'backbone.layer4.0.conv2.weight', 0, 512))
    size = max(1, math.isqrt(_size(state, 'neck.fc.weight', 1, channels * 49) // channels))
    backbone = dict(type='IResNet', depth=depth, **_attention(state))
    if channels != 512:
        backbone['width'] = channels / 512
    if size != 7:
        backbone['in_size'] = size * 16
    config = dict(type='FaceRecognizer', backbone=backbone,
                  neck=_neck('EmbeddingNeck', channels, size, _size(state, 'neck.fc.weight', 0, 512)))
    if subsamples(state):
        inner = 'backbone.layer1.0.bn2.weight' in state
        backbone.update(shortcut='subsample', **({} if inner else dict(inner_norm=False)))
        return config, f'IR{"-SE" if "attention" in backbone else ""}-{depth}' + (" as AdaFace's" if inner else '')
    if not any(name.startswith(('branch.', 'fusion.')) for name in state):
        return config, f'IResNet-{depth}'
    backbone['activation'] = 'relu'  # which has no tensors: the published network has it
    separate = any(name.startswith('fusion.norm_') for name in state)
    config.update(branch=dict(type='PatchSelfAttention', channels=channels,
                              qk_channels=_size(state, 'branch.query_conv.weight', 0, 64)),
                  fusion=dict(type='GatedFusion', channels=channels, norm='separate' if separate else 'shared'))
    if not separate:
        config['variant'] = 'published'
    return config, f'MLA-ArcFace on IResNet-{depth}'


def _mobilefacenet(state):
    """The MobileFaceNet that is nearest to a state dict."""
    narrow = max(8, _size(state, 'backbone.blocks.0.depthwise.0.weight', 0, 128) // 2)
    scale = max(1, _size(state, 'backbone.stem.0.weight', 0, narrow) // narrow)
    channels, blocks = _size(state, 'backbone.last.0.weight', 0, 512), our_blocks(state)
    backbone = dict(type='MobileFaceNet', **dict(scale=scale) if scale != 1 else {},
                    **dict(blocks=blocks) if blocks != (1, 4, 6, 2) else {})
    title = 'MobileFaceNet' + (f' of scale {scale}' if scale != 1 else '')
    if channels != 512:
        backbone['width'] = channels / 512
    size = _size(state, 'neck.conv.weight', 2, 7)
    if size != 7:
        backbone['in_size'] = size * 16
    return dict(type='FaceRecognizer', backbone=backbone,
                neck=_neck('GDCNeck', channels, size, _size(state, 'neck.fc.weight', 0, 512))), title


def _blocks(state, prefix):
    """How many modules of a row there are, by the numbers in the names (int)."""
    return len({name[len(prefix):].split('.')[0] for name in state if name.startswith(prefix)})


def _vit(state):
    """The ViT that is nearest to a state dict; the number of its heads is not in it."""
    dim, patch = (_size(state, 'backbone.patch_embed.proj.weight', axis, size) for axis, size in ((0, 256), (2, 9)))
    dim = max(8, dim // 8 * 8)
    depth, side = max(4, _blocks(state, 'backbone.blocks.')), math.isqrt(_size(
        state, 'backbone.patch_embed.pos_embed', 1, (112 // patch) ** 2))
    backbone = dict(type='VisionTransformer', dim=dim, depth=depth)
    ratio = _size(state, 'backbone.blocks.0.mlp.fc1.weight', 0, 4 * dim) / dim
    if patch != 9:
        backbone['patch_size'] = patch
    if ratio != 4:
        backbone['mlp_ratio'] = ratio
    if side != 112 // patch:
        backbone['in_size'] = side * patch
    return dict(type='FaceRecognizer', backbone=backbone,
                neck=_neck('TokenNeck', dim, side, _size(state, 'neck.feature.2.weight', 0, 512))), \
        VITS.get((dim, depth), f'ViT of {dim} channels and {depth} blocks')


def _edgeface(state):
    """The EdgeFace that is nearest to a state dict; its map does not tell the size of its images."""
    stem, depth = _size(state, 'backbone.stem.0.weight', 0, 32), _blocks(state, 'backbone.layers.0.blocks.')
    size = min(SIZES, key=lambda size: (abs(SIZES[size][0][0] - stem), abs(SIZES[size][1][0] - depth)))
    last = SIZES[size][0][-1]
    rank, embedding = (_size(state, f'neck.fc.linear{layer}.weight', 0, None) for layer in (1, 2))
    gammas = [gamma for gamma in range(1, 101) if int(min(last, embedding or 512) * gamma / 100) == rank]
    low = dict(rank_ratio=gammas[0] / 100) if gammas else {}
    neck = _neck('PoolNeck', last, 3, embedding or _size(state, 'neck.fc.weight', 0, 512))
    return dict(type='FaceRecognizer', backbone=dict(type='EdgeFace', size=size, **low), neck={**neck, **low}), \
        f'EdgeFace-{size.upper()}' + (f' with gamma {low["rank_ratio"]}' if low else '')


def nearest_network(state):
    """The network whose tensors are nearest to those of a state dict.

    Args:
        state (dict[str, Tensor]): With our names, without a head.

    Returns:
        Network: Which may differ; see ``difference``.
    """
    found = []
    for guess in (_iresnet, _mobilefacenet, _vit, _edgeface):
        config, title = guess(state)
        with torch.device('meta'):
            found.append(Network(config, title, MODELS.build(config).state_dict()))
    return min(found, key=lambda network: (len(state.keys() - network.state.keys()),
                                           len(network.state.keys() - state.keys())))


def difference(state, wanted):
    """What differs between the tensors of a file and those of a network, in words; empty if nothing does.

    Args:
        state (dict[str, Tensor]): The file's.
        wanted (dict[str, Tensor]): The network's.

    Returns:
        str: Counts, and the first names of each kind.
    """
    def listed(names, what):
        more = ', ...' if len(names) > SHOWN else ''
        return [f'{len(names)} {what} ({", ".join(names[:SHOWN])}{more})'] if names else []
    missing = [name for name in wanted if name not in state and not name.endswith(COUNTER)]
    extra = [name for name in state if name not in wanted]
    shapes = [f'{name} {tuple(state[name].shape)}, there {tuple(wanted[name].shape)}' for name in wanted
              if name in state and state[name].shape != wanted[name].shape]
    return '; '.join(listed(extra, 'only in the file') + listed(missing, 'only in the network')
                     + listed(shapes, 'of another shape'))
