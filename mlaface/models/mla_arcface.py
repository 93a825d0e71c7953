"""MLA-gated ArcFace by one name: a recognizer with the three ingredients of MLA-ArcFace (2023) and ArcFace's head."""
import inspect

from mlaface.models.layers import scale_channels
from mlaface.models.recognizer import FaceRecognizer
from mlaface.registry import MODELS

TRUNK = dict(type='IResNet', attention=dict(type='HybridAttention'), activation='relu')
BRANCH = dict(type='PatchSelfAttention')
GATE = dict(type='GatedFusion')
NECK = dict(type='EmbeddingNeck', in_size=7)
HEAD = dict(type='MarginHead', margin=dict(type='ArcFace', s=64.0, m=0.5))


def _over(defaults, given):
    """What is given, over the defaults; a part of another type stands alone, and so do several parts."""
    if given is None or isinstance(given, (list, tuple)) or given.get('type', defaults['type']) != defaults['type']:
        return given
    return {**defaults, **given}


@MODELS.register_module()
class MLAArcFace(FaceRecognizer):
    """MLA-gated ArcFace, a network and no margin: attention, branch and gate, which lies before ArcFace's margin.

    ``dict(type='MLAArcFace', depth=100)`` is the network of ``configs/_base_/models/mla_iresnet.py``; ``load_config``
    writes it out as that ``FaceRecognizer``, so that its parts are changed as in any config.

    It stands beside ArcFace and CosFace in comparisons, but the gate weighs the branch's map against the trunk's, and
    the neck makes one vector of their sum. A margin sees cosines of that vector, in which trunk and branch can no
    longer be told apart, and only in training, while the gate is part of every embedding that is compared later. So
    the gate lies before the margin, and the margin is free: ``head=dict(margin=dict(type='CosFace', s=64.0, m=0.4))``
    is MLA-gated CosFace.

    Args:
        depth (int): Of the IResNet: 18, 34, 50, 100 or 200. Default 100.
        width (float): Multiplies its channels, and those of branch, gate and neck. Default 1.0.
        embedding_size (int): D, of neck and head. Default 512.
        backbone (dict): What is changed in the trunk, an IResNet with HybridAttention.
        branch (dict): What is changed in the branch, or a branch of another type, or several.
        fusion (dict): What is changed in the gate, or a fusion of another type.
        neck (dict): What is changed in the neck, or a neck of another type.
        head (dict, optional): What is changed in the head, or a head of another type. None for inference only.
        options: What ``FaceRecognizer`` takes besides.

    Raises:
        ValueError: If the backbone is no IResNet, or parts do not fit each other.
    """

    def __init__(self, depth=100, width=1.0, embedding_size=512, **options):
        parts = self.written_out(depth=depth, width=width, embedding_size=embedding_size, **options)
        parts.pop('type')
        super().__init__(**parts)

    @staticmethod
    def written_out(depth=100, width=1.0, embedding_size=512, backbone=TRUNK, branch=BRANCH, fusion=GATE, neck=NECK,
                    head=HEAD, **options):
        """The same network as the config of a ``FaceRecognizer``; arguments are those of the class.

        Returns:
            dict: The config.
        """
        if (backbone or TRUNK).get('type', 'IResNet') != 'IResNet':
            raise ValueError(f"MLAArcFace is on an IResNet, not on {backbone['type']}: write type='FaceRecognizer' "
                             'with its parts, as configs/_base_/models/mla_mobilefacenet.py does')
        size = dict(depth=depth) if width == 1 else dict(depth=depth, width=width)
        trunk = _over({**TRUNK, **size}, backbone or {})
        channels = scale_channels(512, trunk.get('width', 1.0))
        return dict(
            type='FaceRecognizer',
            backbone=trunk,
            branch=_over(dict(BRANCH, channels=channels), branch),
            fusion=_over(dict(GATE, channels=channels), fusion),
            neck=_over(dict(NECK, in_channels=channels, embedding_size=embedding_size), neck),
            head=_over(dict(HEAD, embedding_size=embedding_size), head), **options)


def _signature():
    """The class's own arguments and, in place of ``options``, what ``FaceRecognizer`` takes besides."""
    own = inspect.signature(MLAArcFace.written_out).parameters
    other = inspect.signature(FaceRecognizer).parameters
    named = [parameter for name, parameter in own.items() if name != 'options']
    return inspect.Signature([*named, *(parameter for name, parameter in other.items() if name not in own)])


MLAArcFace.__signature__ = _signature()
