"""The attention of timm (https://github.com/huggingface/pytorch-image-models) by the names of its ``create_attn``."""
from mlaface.models.packages import import_optional, unknown, with_channels
from mlaface.registry import ATTENTION

NAMES = ('se', 'ese', 'eca', 'ecam', 'ceca', 'ge', 'gc', 'gca', 'cbam', 'lcbam', 'coord', 'scoord', 'ela', 'strip',
         'sk', 'splat', 'lambda', 'bottleneck', 'halo', 'nl', 'bat')


def find(name):
    """The attention that timm calls so, as a plugin: ``attention=dict(type='timm.gc', rd_ratio=1/16)``.

    Raises:
        UnknownNameError: If timm is not installed, or has none of that name.
    """
    key = f'timm.{name}'
    layers = import_optional('timm.layers', key)
    if name not in NAMES:
        raise unknown(key, NAMES, 'attention')
    try:
        target = layers.get_attn(name)
    except AssertionError as error:
        raise unknown(key, [known for known in NAMES if known != name], 'attention') from error
    return with_channels(target, key)


ATTENTION.add_source('timm', find)
