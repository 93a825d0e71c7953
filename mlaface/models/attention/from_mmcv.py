"""The attention of MMCV by its registered names: ``ContextBlock``, ``NonLocal2d``, ``GeneralizedAttention``."""
from mlaface.models.mmcv_parts import find_in_mmcv
from mlaface.models.packages import with_channels
from mlaface.registry import ATTENTION


def find(name):
    """The module that MMCV calls so, as a plugin: ``attention=dict(type='mmcv.ContextBlock', ratio=1/16)``.

    Raises:
        UnknownNameError: If MMCV is not installed, or has none of that name.
    """
    return with_channels(find_in_mmcv(name), f'mmcv.{name}')


ATTENTION.add_source('mmcv', find)
