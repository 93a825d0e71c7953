"""Open what a user names as a model: our checkpoints through the API, everything else by its kind."""
from pathlib import Path

from mlaface.utils.errors import InputError


def choose_device(name='auto'):
    """The device to run on: as named, or a GPU if there is one; ``InputError`` if there is none of the name."""
    import torch
    if name == 'auto':
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # an AssertionError where torch was built without the device
        raise InputError(f'--device {name} cannot be used ({str(error).splitlines()[0]})') from error
    return name


def open_network(name, config=None, device='cpu', options=None):
    """A network of any kind.

    Args:
        name (str): Checkpoint, ONNX file, TorchScript file, ``module:function``, or a config that names one of the
            last three together with its images.
        config (str or None): Config file, for a checkpoint without one of its own.
        device (str): Where it runs.
        options (dict or None): Fields of ``InputFormat`` that the user gave.

    Returns:
        object: As in ``evaluation.networks``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If input options are given for a checkpoint, which states its own, or a config names no model.
    """
    from mlaface.evaluation.networks import NETWORKS, RecognizerNetwork, kind_of
    if str(name).endswith('.py'):
        path, (name, stated) = name, network_of(name)
        if name is None:
            raise ValueError(f"{path} names no model: it needs network = dict(model='module:function', color='BGR')")
        options = {**stated, **(options or {})}
    kind = kind_of(name)
    if kind != 'checkpoint':
        return NETWORKS[kind](name, device=device, options=options)
    if options:
        raise ValueError(f'{", ".join(options)}: {name} is a checkpoint of this framework, which normalises its images '
                         'itself; these options are for foreign models')
    from mlaface.apis.model import init_model
    model = init_model(str(name), config=config, device=device)
    size = (model.input or {}).get('size', (112, 112))
    return RecognizerNetwork(model, name, device, size)


def config_of(name):
    """The config that a checkpoint carries, or None.

    Args:
        name (str): The model's file.

    Returns:
        dict or None: For other kinds of models, None.
    """
    from mlaface.apis.model import config_from_text
    from mlaface.evaluation.networks import kind_of
    from mlaface.utils.files import load_tensors
    if kind_of(name) != 'checkpoint':
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

    from mmengine.config import Config

    from mlaface.evaluation.input_format import InputFormat
    from mlaface.utils.configs import find_config
    stated = Config.fromfile(find_config(config), lazy_import=False).get('network')
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
