"""Layers of MMCV by its registered names: ``activation=dict(type='mmcv.HSwish')``."""
from mmengine.registry import MODELS as ENGINE_MODELS

from mlaface.models.adapters import unknown
from mlaface.registry import MODELS
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


def _is_layer(part):
    """Whether MMCV has registered a part: a class of its own, or a layer of torch's by a name of MMCV's."""
    return isinstance(part, type) and part.__module__.partition('.')[0] in ('mmcv', 'torch')


@MODELS.register_module(name='mmcv.*')
class MMCVLayer:
    """Any layer of MMCV, such as the activations HSwish, HSigmoid, Swish, GELU."""

    named = staticmethod(find_in_mmcv)
