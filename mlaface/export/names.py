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


def prefixes_of(state):
    """The table of prefixes, published to ours, that a state dict with either names needs (dict[str, str])."""
    if any(name.startswith(('layers.', 'conv_sep.')) for name in state):
        return mobilefacenet_prefixes(published_blocks(state))
    if any(name.startswith('backbone.stem.') for name in state):
        return mobilefacenet_prefixes(our_blocks(state))
    return IRESNET
