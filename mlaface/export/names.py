"""Names of tensors in published networks, and ours: prefixes that stand for one another.

A published network is one flat module; ours is backbone, branch, fusion and neck. MLA-ArcFace and InsightFace's IResNet
differ from ours in prefixes alone. MobileFaceNet of InsightFace's trainer (arcface_torch) is a list of eight layers, of
which a run of residual blocks is one; ours is a stem, one row of blocks and a last convolution.
"""
import re

IRESNET = {'saatten.': 'branch.', 'lf.gamma': 'fusion.gate', 'bn2.': 'neck.bn2.', 'fc.': 'neck.fc.',
           'features.': 'neck.features.', '': 'backbone.'}
MOBILEFACENET = {'layers.0.layers.': 'backbone.stem.', 'conv_sep.layers.': 'backbone.last.',
                 'features.layers.0.layers.0.': 'neck.conv.', 'features.layers.0.layers.1.': 'neck.bn.',
                 'features.layers.2.': 'neck.fc.', 'features.layers.3.': 'neck.features.'}
VIT = {'patch_embed.proj.': 'backbone.patch_embed.proj.', 'pos_embed': 'backbone.patch_embed.pos_embed',
       'mask_token': 'backbone.mask.token', 'norm.': 'backbone.norm.', 'blocks.': 'backbone.blocks.',
       'feature.': 'neck.feature.'}
EDGEFACE = {'model.stem.': 'backbone.stem.', 'model.stages.': 'backbone.layers.', 'model.head.norm.': 'neck.norm.',
            'model.head.fc.': 'neck.fc.'}
IR = {'input_layer.0.': 'backbone.conv1.', 'input_layer.1.': 'backbone.bn1.', 'input_layer.2.': 'backbone.prelu.',
      'output_layer.0.': 'neck.bn2.', 'output_layer.3.': 'neck.fc.', 'output_layer.4.': 'neck.features.'}
IR_PARTS = ('bn1', 'conv1', 'bn2', 'prelu', 'conv2', 'bn3')
PARTS = ('expand', 'depthwise', 'project')
RUNS = (1, 3, 5, 7)  # layers of the trainer's network that are runs of residual blocks; each other is a step down
BLOCKS = (1, 4, 6, 2)


def renamed(name, prefixes):
    """``name`` with the first prefix that fits replaced, or None."""
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name[len(old):]
    return None


def mobilefacenet_prefixes(blocks):
    """Published prefixes of a MobileFaceNet to ours.

    Args:
        blocks (Sequence[int]): Residual blocks of its four runs, as our ``MobileFaceNet`` takes them.

    Returns:
        dict[str, str]: By published prefix.
    """
    prefixes, place = dict(MOBILEFACENET), 0
    if blocks[0] == 1:
        prefixes['layers.1.layers.'] = 'backbone.stem_depthwise.'
    else:
        prefixes |= _run(1, blocks[0], 'backbone.stem_depthwise.', 0)
    for layer, count in zip(RUNS[1:], blocks[1:]):
        prefixes |= _block(f'layers.{layer - 1}.', f'backbone.blocks.{place}.')
        prefixes |= _run(layer, count, 'backbone.blocks.', place + 1)
        place += 1 + count
    return prefixes


def _run(layer, count, ours, place):
    return {key: value for index in range(count)
            for key, value in _block(f'layers.{layer}.layers.{index}.', f'{ours}{place + index}.').items()}


def _block(published, ours):
    return {f'{published}layers.{number}.layers.': f'{ours}{part}.' for number, part in enumerate(PARTS)}


def published_blocks(state):
    """Residual blocks of the four runs of a published MobileFaceNet, by the numbers in its names (tuple of int)."""
    found = dict.fromkeys(RUNS, 1)
    for name in state:
        if match := re.match(r'layers\.([1357])\.layers\.(\d+)\.layers\.', name):
            found[int(match[1])] = max(found[int(match[1])], int(match[2]) + 1)
    return tuple(found.values())


def our_blocks(state):
    """Residual blocks of the four runs of our MobileFaceNet, by the widths inside its blocks (tuple of int).

    A step down is wider inside than what was before it: the first wider block begins the second run, the widest the
    third. Of a state dict that lacks blocks: ``BLOCKS``.
    """
    hidden = []
    while (tensor := state.get(f'backbone.blocks.{len(hidden)}.depthwise.0.weight')) is not None:
        hidden.append(tensor.shape[0])
    if len(set(hidden)) < 3:
        return BLOCKS
    first, widest = next(i for i, width in enumerate(hidden) if width > hidden[0]), hidden.index(max(hidden))
    stem = sum(name.endswith('.expand.0.weight') for name in state if name.startswith('backbone.stem_depthwise.'))
    return max(1, stem), first - 1, widest - first - 1, len(hidden) - widest - 1


def ir_prefixes(counts, inner_norm):
    """Published prefixes of an IR or IR-SE to ours.

    Args:
        counts (Sequence[int]): Blocks of its stages.
        inner_norm (bool): Whether a norm stands between the first convolution of a block and its PReLU: AdaFace's.

    Returns:
        dict[str, str]: By published prefix.
    """
    parts = [part for part in IR_PARTS if inner_norm or part != 'bn2']
    excite = 'se_block' if inner_norm else len(parts)
    prefixes, number = dict(IR), 0
    for stage, count in enumerate(counts, 1):
        for index in range(count):
            theirs, ours = f'body.{number}.', f'backbone.layer{stage}.{index}.'
            prefixes |= {f'{theirs}res_layer.{place}.': f'{ours}{part}.' for place, part in enumerate(parts)}
            prefixes |= {f'{theirs}res_layer.{excite}.fc1.': f'{ours}attn.fc.0.',
                         f'{theirs}res_layer.{excite}.fc2.': f'{ours}attn.fc.2.',
                         f'{theirs}shortcut_layer.': f'{ours}downsample.'}
            number += 1
    return prefixes


def _published_units(state):
    """Blocks of the stages of a published IR: a stage ends where the channels change (list of int)."""
    counts, before, number = [], None, 0
    while (tensor := state.get(f'body.{number}.res_layer.1.weight')) is not None:
        counts += [0] if tensor.shape[0] != before else []
        counts[-1] += 1
        before, number = tensor.shape[0], number + 1
    return counts


def our_units(state):
    """Blocks of the four stages of our IResNet (list of int)."""
    return [len({name.split('.')[2] for name in state if name.startswith(f'backbone.layer{stage}.')})
            for stage in (1, 2, 3, 4)]


def subsamples(state):
    """Whether our IResNet has the shortcuts of IR and IR-SE (bool)."""
    projects = [f'backbone.layer{stage}.0.downsample.0.weight' in state for stage in (1, 2)]
    return 'backbone.layer1.0.bn1.weight' in state and projects == [False, True]


def prefixes_of(state):
    """The table of prefixes, published to ours, that a state dict with either names needs (dict[str, str])."""
    def has(*prefixes):
        return any(name.startswith(prefixes) for name in state)
    if has('layers.', 'conv_sep.'):
        return mobilefacenet_prefixes(published_blocks(state))
    if has('input_layer.'):
        return ir_prefixes(_published_units(state), 'body.0.res_layer.2.running_mean' in state)
    if subsamples(state):
        return ir_prefixes(our_units(state), 'backbone.layer1.0.bn2.weight' in state)
    if has('model.stem.', 'backbone.layers.'):
        return EDGEFACE
    if has('patch_embed.', 'backbone.patch_embed.'):
        return VIT
    if has('backbone.stem.'):
        return mobilefacenet_prefixes(our_blocks(state))
    return IRESNET
