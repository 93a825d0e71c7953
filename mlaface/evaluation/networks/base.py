"""What a kind of network is, and which kind a name or a file is."""
from pathlib import Path

from mlaface.registry import NETWORKS


class Network:
    """A model behind one face; a subclass in one file is all that a new kind needs.

    Attributes:
        name (str): As ``list_plugins`` shows the kind.
        size (tuple[int]): Height and width of the images it takes.
        flip (str): ``'sum'`` or ``'concat'`` if it joins an image with its mirror image by itself.
        thresholds (dict or None): Calibrated ones that its file carries, see ``results.thresholds``.
        format (InputFormat or None): How it makes its images, read at each call; None where that is the network's own.
        overridden (bool): Whether the user's options make its images otherwise than its file states.
        bytes (bool): Whether it takes bytes and normalises them itself, so that ``mean`` and ``std`` do nothing.
        last_resort (bool): It is asked only where no other kind takes the name.

    Args of the constructor:
        name (str): What the user typed.
        device (str): Where it runs.
        options (dict or None): Fields of ``InputFormat`` that the user gave.
    """
    size = (112, 112)
    flip = 'none'
    thresholds = None
    format = None
    bytes = False
    overridden = False
    last_resort = False

    @classmethod
    def accepts(cls, name):
        """Whether a name or a file is of this kind (bool). Must be quick: every kind is asked."""
        raise NotImplementedError

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W), RGB."""
        raise NotImplementedError

    def describe(self):
        """The ``model`` entry of result JSON: ``file``, ``sha256``, ``name``, ``input``."""
        raise NotImplementedError


def kind_of(name):
    """The class of the kind of network that a name or a file is.

    Args:
        name (str | Path): Such as a checkpoint, an ONNX file, or ``module:function``.

    Raises:
        FileNotFoundError: If no kind takes it and there is no such file.
        ValueError: If no kind takes the file, or several do; names them.
    """
    kinds = NETWORKS.classes()
    takers = {kind: network for kind, network in kinds.items() if network.accepts(str(name))}
    found = {kind: network for kind, network in takers.items() if not network.last_resort} or takers
    if len(found) == 1:
        return next(iter(found.values()))
    if len(found) > 1:
        raise ValueError(f'{name} is taken by several kinds of networks: {", ".join(found)}; their accepts() must '
                         'differ')
    if not Path(name).is_file():
        raise FileNotFoundError(f'no model at {name}: give a checkpoint (.pth), an ONNX file, a TorchScript file or '
                                'module:function')
    raise ValueError(f'{name} is no model of a known kind; there are {", ".join(kinds)}')
