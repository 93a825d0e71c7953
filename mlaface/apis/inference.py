"""A face inferencer from the names of a model and a detector."""
import inspect

from mlaface.apis.networks import open_network
from mlaface.inference.inferencer import Inferencer
from mlaface.registry import DETECTORS, check_arguments


class FaceInferencer(Inferencer):
    """Photographs to faces with box, points, score, crop, embedding and quality; two photographs compared.

    Args:
        model (str | Path | Network): ``'sface'``, or what ``open_network`` takes: a checkpoint, an ONNX file, ...
        detector (str | dict | object | None): A name of ``DETECTORS``, a config with ``type``, or an object that has
            ``detect(image)``; None where all images are aligned.
        device (str): Of the network, and of detectors that know one. Default 'cpu'.
        options (dict or None): Fields of ``InputFormat`` for a foreign model.
        config (str | Path | None): Config of the network, for a checkpoint without one. Default None.
        **settings: ``batch_size``, ``workers``, ``flip``, ``far``, ``threshold``, ``max_pixels``; see ``Inferencer``.

    Raises:
        UserError: If a name is not known, or a file is not there.

    Example:
        >>> inferencer = FaceInferencer()
        >>> inferencer.compare('a.jpg', 'b.jpg').same
        True
    """

    def __init__(self, model='sface', detector='yunet', device='cpu', options=None, config=None, **settings):
        network = model if hasattr(model, 'embed') else open_network(model, config, device, options)
        super().__init__(network, build_detector(detector, device), **settings)


def build_detector(detector, device='cpu'):
    """A detector.

    Args:
        detector (str | dict | object | None): See ``FaceInferencer``.
        device (str): For one that is built.

    Returns:
        object: Has ``detect(image)``; None for None.

    Raises:
        UserError: If the name or an argument is not known; names the nearest.
    """
    if not isinstance(detector, (str, dict)):
        return detector
    settings = dict(type=detector) if isinstance(detector, str) else dict(detector)
    name = settings.pop('type')
    known = DETECTORS.classes()  # DETECTORS.build would import torch, which takes longer than to find a face
    kind = known[name] if name in known else DETECTORS.get(name)
    check_arguments(kind, settings)
    if 'device' in inspect.signature(kind).parameters:
        settings.setdefault('device', device)
    return kind(**settings)
