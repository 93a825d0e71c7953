"""A trained recognizer from a checkpoint, a published file, or the zoo."""
from pathlib import Path

from mlaface.apis.stored_config import check_parts, imports_of
from mlaface.evaluation.networks.common import first_line
from mlaface.registry import MODELS
from mlaface.utils.configs import config_from_text, config_of_file
from mlaface.utils.errors import InputError
from mlaface.utils.files import is_state_dict, load_tensors
from mlaface.utils.imports import import_modules
from mlaface.zoo.locate import find_model
from mlaface.zoo.model_file import SUFFIX, read_model_file

SHOWN = 5


class RestoredModel:
    """What ``init_model`` adds to a recognizer, as its attribute ``restored``.

    Args:
        file (str): The checkpoint.
        input (dict): ``color``, ``mean``, ``std``, ``size``.
        content (dict): The checkpoint without its weights, with ``classes_sha256`` and ``num_classes``; of a published
            file its metadata.
        config (dict): Of the network, as it was built.
    """

    def __init__(self, file, input, content, config):
        self.file, self.input, self.content, self.config = file, input, content, config


def init_model(checkpoint, config=None, device='cpu', average=True, imports=()):
    """Build a recognizer for inference and load its weights; class centres are not needed.

    Args:
        checkpoint (str | Path | None): A ``.pth`` file, of a training or with a bare state dict (as the converters
            write it, which needs ``config``); a published ``.safetensors`` file; a name of the zoo or
            ``hf://OWNER/NAME``, which is downloaded once; None builds from ``config`` with fresh weights.
        config (str | Path | dict, optional): A config file, or a model's config. Default: the config in the file,
            which is read as data and not run.
        device (str): Where the model goes. Default 'cpu'.
        average (bool): Use the moving average of the weights, if the file has one. Default True.
        imports (Sequence[str]): Modules of plugins of your own to import first. What the file names in
            ``custom_imports`` is not imported on its word. Default none.

    Returns:
        FaceRecognizer: In evaluation mode; ``model.input`` says what images it takes, ``model.restored`` where it
        came from.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is torn or changed, is no checkpoint of mlaface, or holds another architecture than the
            config's; if its config names a plugin that is not registered: says which modules it asks for.
        PluginImportError: If a module cannot be imported.
    """
    import_modules(imports)
    checkpoint = find_model(checkpoint) if checkpoint is not None else None
    content = _read(checkpoint) if checkpoint is not None else None
    if is_state_dict(content):
        if config is None:
            raise ValueError(f'{checkpoint} holds weights and no config: give the config of their network '
                             '(other projects\' names are made ours by tools/converters)')
        content = dict(model=dict(state_dict=content))
    if content is not None and not _is_checkpoint(content):
        raise ValueError(f'{checkpoint} is not a checkpoint of mlaface. Weights of other projects are brought over by '
                         'the converters in tools/converters')
    if content is None and config is None:
        raise ValueError('init_model needs a checkpoint or a config')
    if config is None or content is not None and 'config' in content and not _names_model(config):
        config, model = _build_stored(content['config'], checkpoint)
    else:
        config = _model_config(config)
        model = MODELS.build(config)
    if content is not None:
        _load(model, content, checkpoint, average)
    _describe(model, content or {}, checkpoint, config)
    return model.to(device).eval()


def _read(path):
    """What a file holds, in the form of a checkpoint."""
    if not str(path).endswith(SUFFIX):
        if str(path).endswith('.onnx'):
            raise InputError(f'{path} is an ONNX file, not a network of mlaface: open it with open_network')
        return load_tensors(path)
    metadata, state = read_model_file(path)
    if metadata is None:
        return state
    return {**metadata, 'model': {'state_dict': state, 'input': metadata['input']}}


def _describe(model, content, checkpoint, config):
    """Tell the model where it came from and what images it takes."""
    stored = content.get('model', {})
    own, spec = getattr(model, 'input_spec', None), stored.get('input')
    if own is not None and spec is not None and {**own, **spec} != own:
        raise InputError(f'{checkpoint} says that its images are {spec}, and its config makes {own}: give the config '
                         'that it was trained with')
    known = {key: value for key, value in content.items()
             if key not in ('model', 'optimizer', 'ema', 'rng', 'schedulers')}
    known.update({key: stored[key] for key in ('classes_sha256', 'num_classes') if key in stored})
    model.input = {**(own or {}), **(spec or {})} or None
    model.restored = RestoredModel(str(checkpoint) if checkpoint else None, model.input, known, config)


def _is_checkpoint(content):
    """Whether what a file holds is as ``engine/checkpoint`` writes it."""
    model = content.get('model') if isinstance(content, dict) else None
    return isinstance(model, dict) and 'state_dict' in model


def _names_model(config):
    """Whether a config that the user gave is of a network; one of a protocol alone leaves it to the checkpoint."""
    if isinstance(config, (str, Path)):
        config = config_of_file(config)
    return 'model' in config or 'type' in config


def _model_config(config):
    """The model's config without its head, of a config that the user gave."""
    if isinstance(config, (str, Path)):
        config = config_of_file(config)
    model = dict(config.get('model', config))
    if 'type' not in model:
        raise ValueError(f'the config has no model.type; its keys are {", ".join(config)}')
    return {**model, 'head': None}


def _build_stored(stored, source):
    """The model's config without its head, of a file, and the network that it makes."""
    if isinstance(stored, str):
        stored = config_from_text(stored, source)
    config = stored.get('model', stored)
    if not isinstance(config, dict) or 'type' not in config:
        raise InputError(f'the config inside {source} has no model.type: give a config')
    config = {**config, 'head': None}
    check_parts(config, source, imports_of(stored))
    try:
        return config, MODELS.build(config)
    except Exception as error:  # whatever a part raises on arguments that somebody else wrote
        raise InputError(f'the config inside {source} makes no network: {first_line(error)}') from error


def _load(model, content, checkpoint, average):
    """Load the trunk's weights, or say how the file differs from the model."""
    saved, averaged = content['model']['state_dict'], (content.get('ema') or {}) if average else {}
    state = {name: averaged.get(name, value) for name, value in saved.items() if not name.startswith('head.')}
    own = model.state_dict()
    missing, extra = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    shapes = [f'{name} {tuple(state[name].shape)} in the file, {tuple(own[name].shape)} in the model'
              for name in own if name in state and own[name].shape != state[name].shape]
    if missing or extra or shapes:
        lists = (('only in the model', missing), ('only in the file', extra), ('of other shape', shapes))
        raise ValueError(f'{checkpoint} holds another architecture than the config describes: ' + '; '.join(
            f'{len(names)} {what}: {", ".join(names[:SHOWN])}' + (' ...' if len(names) > SHOWN else '')
            for what, names in lists if names) + '. Leave config out to use the one in the file')
    model.load_state_dict(state)
