"""The attention of timm (Wightman, PyTorch Image Models) by the names of its ``create_attn``: ``timm.gc``."""
from mlaface.models.adapters import unknown, with_channels
from mlaface.registry import ATTENTION
from mlaface.utils.packages import import_optional

NAMES = ('se', 'ese', 'eca', 'ecam', 'ceca', 'ge', 'gc', 'gca', 'cbam', 'lcbam', 'coord', 'scoord', 'ela', 'strip',
         'sk', 'splat', 'lambda', 'bottleneck', 'halo', 'nl', 'bat')


@ATTENTION.register_module(name='timm.*')
class TimmAttention:
    """Any attention of timm that keeps the shape of the map, with timm's own arguments and start."""

    @staticmethod
    def named(name):
        """The plugin that timm calls so.

        Raises:
            MissingPackageError: If timm is not installed.
            UnknownNameError: If it has none of that name.
        """
        key = f'timm.{name}'
        layers = import_optional('timm.layers', repr(key))
        if name not in NAMES:
            raise unknown(key, NAMES, 'attention')
        try:
            target = layers.get_attn(name)
        except AssertionError as error:  # a timm that has not got it yet
            raise unknown(key, [known for known in NAMES if known != name], 'attention') from error
        return with_channels(target, key)
