"""Open what a user names as a model, of any kind, and read what it says of itself."""
import inspect
from pathlib import Path

from mlaface.apis.model import init_model
from mlaface.evaluation.networks.base import kind_of
from mlaface.evaluation.networks.recognizer import RecognizerNetwork
from mlaface.registry import NETWORKS
from mlaface.utils.configs import config_from_text
from mlaface.utils.errors import InputError
from mlaface.zoo.locate import find_model
from mlaface.zoo.model_file import SUFFIX


@NETWORKS.register_module('checkpoint')
class CheckpointNetwork(RecognizerNetwork):
    """A checkpoint of this framework, which normalises its images itself.

    Args:
        name (str): The file.
        device (str): Where it runs.
        options (dict or None): None: how its images are made stands in the file.
        config (str or None): Config file, for a checkpoint without one of its own.

    Raises:
        ValueError: If there are options, or the file is none of ours.
    """
    last_resort = True

    def __init__(self, name, device='cpu', options=None, config=None):
        if options:
            raise ValueError(f'{", ".join(options)}: {name} is a checkpoint of this framework, which normalises its '
                             'images itself; these options are for foreign models')
        model = init_model(str(name), config=config, device=device)
        super().__init__(model, name, device, (model.input or {}).get('size', (112, 112)))

    def describe(self):
        """The ``model`` entry of result JSON; a published model says its own name and images."""
        known = {key: self.model.restored.content[key] for key in ('name',) if key in self.model.restored.content}
        return {**super().describe(), **known}

    @classmethod
    def accepts(cls, name):
        """Any file that no other kind takes: what is wrong with it, its reader says; see the base class."""
        return Path(name).is_file()


def open_network(name, config=None, device='cpu', options=None):
    """A network of any kind.

    Args:
        name (str): Checkpoint, published model, ONNX file, TorchScript file, ``module:function``, what a kind of
            network of your own takes, a name of the zoo, ``hf://OWNER/NAME``, or a config that names one of them
            together with its images.
        config (str or None): Config file, for a checkpoint without one of its own.
        device (str): Where it runs.
        options (dict or None): Fields of ``InputFormat`` that the user gave.

    Returns:
        Network: See ``evaluation.networks.base``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If input options are given for a checkpoint, which states its own, or a config names no model.
    """
    if str(name).endswith('.py'):
        path, (name, stated) = name, network_of(name)
        if name is None:
            raise ValueError(f"{path} names no model: it needs network = dict(model='module:function', color='BGR')")
        options = {**stated, **(options or {})}
    name = _file_of(name)
    kind = kind_of(name)
    own = dict(config=config) if 'config' in inspect.signature(kind).parameters else {}
    return kind(name, device=device, options=options, **own)


def open_recognizer(name, config=None, device='cpu'):
    """A network of this framework, whose modules can be looked at.

    Args:
        name (str): Checkpoint, published model, a name of the zoo, ``hf://OWNER/NAME``.
        config (str or None): See ``open_network``.
        device (str): Where it runs.

    Returns:
        RecognizerNetwork: Its ``model`` is a ``FaceRecognizer``.

    Raises:
        InputError: If it is of another kind, such as an ONNX file.
        FileNotFoundError, ValueError: See ``open_network``.
    """
    file = _file_of(name)
    kind = kind_of(file)
    if not issubclass(kind, RecognizerNetwork):
        raise InputError(f'{name} is opened as {kind.__name__}, into which nobody can look: give a checkpoint or a '
                         'published file of mlaface (.pth, .safetensors)')
    return open_network(file, config, device)


def _file_of(name):
    """What a kind of network takes, as it is; the file of any other name."""
    taken = any(kind.accepts(str(name)) for kind in NETWORKS.classes().values())
    return name if taken else find_model(name)


def config_of(name):
    """The config that a checkpoint carries, or None; a published model has no config of a training.

    Args:
        name (str): The model's file.

    Returns:
        dict or None: For other kinds of models, None.
    """
    from mlaface.utils.files import load_tensors
    name = _file_of(name)
    if kind_of(name) is not CheckpointNetwork or str(name).endswith(SUFFIX):
        return None
    text = load_tensors(Path(name)).get('config')
    return config_from_text(text, name) if text else None


def network_of(config):
    """The foreign model that a config names: ``network = dict(model='package.module:function', color='BGR', ...)``.

    Args:
        config (str): A config file.

    Returns:
        tuple: The model (file or ``module:function``), and its fields of ``InputFormat``; None and an empty dict
        without ``network``.

    Raises:
        ValueError: If ``network`` has no ``model`` or unknown keys; names the nearest known one.
    """
    import difflib
    from dataclasses import fields

    from mlaface.evaluation.networks.input_format import InputFormat
    from mlaface.utils.configs import config_of_file
    stated = config_of_file(config).get('network')
    if stated is None:
        return None, {}
    options, known = dict(stated), [field.name for field in fields(InputFormat)]
    model = options.pop('model', None)
    if model is None:
        raise ValueError(f"{config}: network needs model='package.module:function', or a file")
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise ValueError(f'{config}: network.{key} is unknown' + (f'; did you mean {near[0]!r}?' if near else '')
                             + f' It takes model, {", ".join(known)}')
    for key in {'mean', 'std', 'size'} & options.keys():
        options[key] = tuple(options[key]) if isinstance(options[key], (list, tuple)) else (options[key],)
    return model, options
