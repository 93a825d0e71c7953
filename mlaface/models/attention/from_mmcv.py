"""The attention of MMCV by its registered names: ``dict(type='mmcv.ContextBlock', ratio=1/16)``."""
from mlaface.models.adapters import with_channels
from mlaface.models.mmcv_layers import find_in_mmcv
from mlaface.registry import ATTENTION


@ATTENTION.register_module(name='mmcv.*')
class MMCVAttention:
    """Any layer of MMCV that keeps the shape of the map: ContextBlock, NonLocal2d, GeneralizedAttention."""

    @staticmethod
    def named(name):
        """The plugin that MMCV calls so.

        Raises:
            MissingPackageError: If MMCV is not installed.
            UnknownNameError: If it has none of that name.
        """
        return with_channels(find_in_mmcv(name), f'mmcv.{name}')
