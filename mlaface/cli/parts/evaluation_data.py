"""What the arguments of ``tools/test.py`` name: a config, a model and its images, and what it is evaluated on."""
from pathlib import Path

from mlaface.apis.networks import config_of, network_of
from mlaface.apis.stored_config import check_parts, imports_of
from mlaface.datasets.stores.address import is_address
from mlaface.evaluation.embeddings.saved import embeddings_suite
from mlaface.evaluation.protocols.registered import open_protocol
from mlaface.evaluation.suite import bin_suite, dataset_suite
from mlaface.registry import DATASETS, TRANSFORMS
from mlaface.utils.configs import config_of_file

INPUT = ('color', 'mean', 'std', 'size', 'layout')


def split_paths(args):
    """The config and the model among the positional arguments, and what the config says of a foreign model's images.

    Returns:
        tuple: Config or None, model or None, and fields of ``InputFormat``.

    Raises:
        ValueError: If there are too many, or too few.
    """
    paths = list(args.paths)
    config = paths.pop(0) if paths and paths[0].endswith('.py') else None
    if len(paths) > 1:
        raise ValueError(f'one model stands first, got {", ".join(paths)}; give the others as --against '
                         f'{" ".join(paths[1:])}')
    if args.embeddings and (paths or config or args.against):
        raise ValueError('--embeddings is evaluated without a model: leave the model out')
    if paths or args.embeddings:
        return config, paths[0] if paths else None, {}
    model, stated = network_of(config) if config is not None else (None, {})
    if model is None:
        raise ValueError('no model: give a checkpoint, an ONNX file, a TorchScript file, module:function, a config '
                         "with network = dict(model=...), or --embeddings FILE; --help shows examples")
    return config, model, stated


def given_input(args):
    """The fields of ``InputFormat`` that the user gave."""
    given = {key: getattr(args, key) for key in INPUT if getattr(args, key) is not None}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}


def find_suite(args, config, model):
    """What is to be evaluated, looked for before a model is opened.

    Raises:
        ValueError: If no data are named anywhere, or twice.
    """
    named = [f'--{key}' for key in ('embeddings', 'protocol', 'sets') if getattr(args, key)]
    named += ['--data-root'] if args.embeddings and args.data_root else []
    if len(named) > 1:
        raise ValueError(f'{" and ".join(named)} name two things to evaluate on: give one')
    if args.embeddings:
        return embeddings_suite(args.embeddings)
    if is_address(args.data_root) and not args.sets:
        raise ValueError(f'--data-root {args.data_root}: a folder in a store is not looked through: name its .bin '
                         'files by --sets lfw.bin; official lists and their images are read from a local folder')
    if args.protocol:
        if not args.data_root:
            raise ValueError(f'--protocol {args.protocol} needs --data-root DIR, the folder with its images and lists')
        return open_protocol(args.protocol, args.data_root)
    if args.sets:
        return bin_suite([_below(args.data_root or '', name) for name in args.sets])
    if args.data_root:
        return open_protocol('pairs', args.data_root)
    return _configured_suite(config, model)


def _below(root, name):
    """A file, by its name below a folder or in full; either may be in a store."""
    if is_address(name):
        return name
    return f'{root.rstrip("/")}/{name}' if is_address(root) else Path(root, name)


def _configured_suite(config, model):
    """What the config's test or validation loader reads."""
    cfg, where = (config_of_file(config), config) if config else (config_of(model), f'the config in {model}')
    for key in ('test_dataloader', 'val_dataloader'):
        if cfg is not None and cfg.get(key):
            if not config:
                check_parts(cfg[key]['dataset'], model, imports_of(cfg), (DATASETS, TRANSFORMS))
            return dataset_suite(cfg[key]['dataset'])
    raise ValueError(f'no data to evaluate on: give --sets, --data-root or a config ({where} has no val_dataloader)')
