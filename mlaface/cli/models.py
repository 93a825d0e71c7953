"""Open what a user names as a model: our checkpoints through the API, everything else by its kind."""
from pathlib import Path


def choose_device(name='auto'):
    """The device to run on: as named, or a GPU if there is one."""
    if name != 'auto':
        return name
    import torch
    return 'cuda' if torch.cuda.is_available() else 'cpu'


def open_network(name, config=None, device='cpu', options=None):
    """A network of any kind.

    Args:
        name (str): Checkpoint, ONNX file, TorchScript file, or ``module:function``.
        config (str or None): Config file, for a checkpoint without one of its own.
        device (str): Where it runs.
        options (dict or None): Fields of ``InputFormat`` that the user gave.

    Returns:
        object: As in ``evaluation.networks``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If input options are given for a checkpoint, which states its own.
    """
    from mlaface.evaluation.networks import NETWORKS, RecognizerNetwork, kind_of
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
