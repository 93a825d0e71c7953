"""Layers of MMCV by its names: ``activation=dict(type='mmcv.HSwish')``, ``norm=dict(type='mmcv.SyncBN')``."""
from inspect import signature

from mmengine.registry import MODELS as ENGINE_MODELS

from mlaface.models.adapters import unknown
from mlaface.registry import MODELS
from mlaface.utils.errors import ArgumentError
from mlaface.utils.packages import import_optional


def find_in_mmcv(name):
    """The class that MMCV has registered as ``name``.

    Raises:
        MissingPackageError: If MMCV is not installed.
        UnknownNameError: If it has registered none of that name.
    """
    import_optional('mmcv.cnn', repr(f'mmcv.{name}'))
    known = {key: part for key, part in ENGINE_MODELS.module_dict.items() if _is_layer(part)}
    if name not in known:
        raise unknown(f'mmcv.{name}', known, 'layers')
    return known[name]


def build_mmcv_norm(config, channels):
    """A norm of MMCV: BN, SyncBN, GN, IN and what others have registered.

    Args:
        config (dict): ``type`` is its name with ``mmcv.`` before it; the rest are its arguments.
        channels (int): Channels of the map.

    Raises:
        UnknownNameError: If MMCV is not installed, or has none of that name.
        ArgumentError: If it cannot be built of these channels.
    """
    name = config['type'].removeprefix('mmcv.')
    takes = ', '.join(signature(find_in_mmcv(name)).parameters)
    from mmcv.cnn import build_norm_layer
    try:
        return build_norm_layer({**config, 'type': name}, channels)[1]
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ArgumentError(f'norm {config["type"]!r} cannot be built of {channels} channels: '
                            f'{str(error) or type(error).__name__}. It takes: {takes}') from error


def _is_layer(part):
    """Whether MMCV has registered a part: a class of its own, or a layer of torch's by a name of MMCV's."""
    return isinstance(part, type) and part.__module__.partition('.')[0] in ('mmcv', 'torch')


@MODELS.register_module(name='mmcv.*')
class MMCVLayer:
    """Any layer of MMCV, such as the activations HSwish, HSigmoid, Swish, GELU."""

    named = staticmethod(find_in_mmcv)
