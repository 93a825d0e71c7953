"""A trained recognizer from a checkpoint file."""
from pathlib import Path

from mlaface.apis.plugins import asked_by
from mlaface.registry import MODELS
from mlaface.utils.configs import config_of_file
from mlaface.utils.files import is_state_dict, load_tensors
from mlaface.utils.imports import import_modules
from mlaface.utils.literals import literal

SHOWN = 5


class RestoredModel:
    """What ``init_model`` adds to a recognizer, as its attribute ``restored``.

    Args:
        file (str): The checkpoint.
        input (dict): ``color``, ``mean``, ``std``, ``size``.
        content (dict): The checkpoint without its weights.
    """

    def __init__(self, file, input, content):
        self.file, self.input, self.content = file, input, content


def init_model(checkpoint, config=None, device='cpu', average=True, imports=()):
    """Build a recognizer for inference and load its weights; class centres are not needed.

    Args:
        checkpoint (str | Path | None): A ``.pth`` file, of a training or with a bare state dict (as the converters
            write it, which needs ``config``); None builds from ``config`` with fresh weights.
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
        ValueError: If the file is torn or damaged, is no checkpoint of mlaface, or holds another architecture than the
            config's.
        UserError: If a plugin is not known, or a module cannot be imported; names the modules that the file asks for.
    """
    import_modules(imports)
    content = load_tensors(checkpoint) if checkpoint is not None else None
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
    model = _build(config, content, checkpoint)
    if content is not None:
        _load(model, content, checkpoint, average)
    spec = (content or {}).get('model', {}).get('input') or getattr(model, 'input_spec', None)
    without_weights = {key: value for key, value in (content or {}).items()
                       if key not in ('model', 'optimizer', 'ema', 'rng', 'schedulers')}
    model.restored = RestoredModel(str(checkpoint) if checkpoint else None, spec, without_weights)
    model.input = spec
    return model.to(device).eval()


def _is_checkpoint(content):
    """Whether what a file holds is as ``engine/checkpoint`` writes it."""
    model = content.get('model') if isinstance(content, dict) else None
    return isinstance(model, dict) and 'state_dict' in model


def _build(config, content, checkpoint):
    """The network without its head, of the config that is given or of the one in the file."""
    from mmengine.config import Config
    if isinstance(config, (str, Path)):
        config = config_of_file(config)
    elif config is None:
        stored = config_from_text(content['config'], checkpoint)
        with asked_by(checkpoint, stored):
            return MODELS.build(_model_config(Config(stored)))
    return MODELS.build(_model_config(config))


def _model_config(config):
    """The model's config without its head."""
    model = dict(config.get('model', config))
    if 'type' not in model:
        raise ValueError(f'the config has no model.type; its keys are {", ".join(config)}')
    return {**model, 'head': None}


def config_from_text(text, source):
    """The values of a config's text, without running it: assignments of literals and of ``dict(...)`` only.

    Args:
        text (str): As ``Config.pretty_text`` writes it.
        source (str | Path): Where it comes from, for the message.

    Returns:
        dict: Name to value.

    Raises:
        ValueError: If the text does anything else.
    """
    import ast
    values = {}
    try:
        for statement in ast.parse(text).body:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                raise ValueError(f'line {statement.lineno} is no assignment')
            values[statement.targets[0].id] = literal(statement.value)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'the config inside {source} is not of plain values ({error}): give a config') from error
    return values


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
