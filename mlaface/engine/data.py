"""Data sets and loaders of a config: found before the model is built, and resumable."""
import copy
import inspect
import logging
import os
from functools import partial
from importlib import import_module

import torch
from mmengine.logging import print_log
from mmengine.registry import FUNCTIONS
from torch.utils.data import DataLoader

from mlaface.engine.distributed import world_size
from mlaface.engine.errors import ConfigError, refusals
from mlaface.engine.loader import FaceLoader
from mlaface.registry import DATA_SAMPLERS, DATASETS, MODELS, did_you_mean, parameters_of
from mlaface.utils.errors import MissingDataError, UnknownNameError

COLLATE = 'collate_images'
IN_ORDER, SHUFFLED = dict(type='DefaultSampler', shuffle=False), dict(type='EpochSampler')


def build_dataset(cfg, key, seed=None):
    """Build a data set, with an error that names the config's key if its files are not there.

    Args:
        cfg (dict): Config of the data set.
        key (str): Where it stands in the config.
        seed (int, optional): The run's seed, for a data set that takes one and whose config states none.

    Returns:
        Dataset: The data set.

    Raises:
        MissingDataError: If a file is missing; says where it was looked for.
        ConfigError: If the data set refuses its arguments.
    """
    seeded = seed is not None and 'seed' in inspect.signature(DATASETS.get(cfg['type'])).parameters
    try:
        with refusals(key):
            return DATASETS.build(copy.deepcopy(cfg), default_args=dict(seed=seed) if seeded else None)
    except FileNotFoundError as error:
        raise MissingDataError(f'{key}: {error}') from error


def _sampler(cfg, dataset, batch_size, seed):
    """Build a sampler, which is told the batch size if it asks for it."""
    given = dict(dataset=dataset, batch_size=batch_size, seed=seed)
    parameters = inspect.signature(DATA_SAMPLERS.get(cfg['type'])).parameters
    sampler = DATA_SAMPLERS.build(cfg, default_args={name: given[name] for name in given if name in parameters})
    if world_size() > 1 and not any(hasattr(sampler, name) for name in ('rank', 'num_replicas', 'world_size')):
        print_log(f'sampler {cfg["type"]!r} has no attribute rank, num_replicas or world_size: if it deals the same '
                  f'images to all {world_size()} ranks, derive it from mlaface.datasets.samplers.base.GlobalBatches',
                  'current', logging.WARNING)
    return sampler


def _collate(cfg):
    if callable(cfg):
        return cfg
    cfg = dict(cfg)
    name = cfg.pop('type')
    if name == COLLATE:
        import_module('mlaface.datasets.collate')  # by name: the engine does not know the data sets
    function = FUNCTIONS.get(name) if isinstance(name, str) else name
    if function is None:
        close = did_you_mean(name, FUNCTIONS.module_dict)
        raise UnknownNameError(f'collate_fn: no function {name!r} is registered{close} One of your own goes into '
                               'mmengine.registry.FUNCTIONS')
    return partial(function, **cfg) if cfg else function


def leave_process_group(worker_id):
    """Take a worker out of the process group, whose signals (Ctrl-C, a scheduler's SIGTERM) the main process handles.

    A worker that dies of them would end the run before its checkpoint is written. It still obeys a SIGTERM of its own,
    which is how Python ends the workers at exit.

    Args:
        worker_id (int): As torch calls ``worker_init_fn``.
    """
    os.setpgrp()


def build_dataloader(cfg, seed, dataset=None, training=False):
    """Build a loader with a random generator of its own, so that opening it again draws nothing from the global one.

    Args:
        cfg (DataLoader or dict): ``dataset``, ``sampler`` (default: in order; ``EpochSampler`` if ``training``),
            ``batch_size``, ``num_workers``, ``collate_fn`` (default ``collate_images``), and what
            ``torch.utils.data.DataLoader`` takes.
        seed (int): The run's seed.
        dataset (Dataset, optional): The data set, where it is built already.
        training (bool): Whether it is trained on, and shuffled where no sampler says otherwise. Default False.

    Returns:
        DataLoader: The loader.
    """
    if isinstance(cfg, DataLoader):
        return cfg
    cfg = dict(cfg)
    dataset_cfg = cfg.pop('dataset')
    if dataset is None:
        dataset = build_dataset(dataset_cfg, 'dataset') if isinstance(dataset_cfg, dict) else dataset_cfg
    sampler = cfg.pop('sampler', SHUFFLED if training else IN_ORDER)
    if isinstance(sampler, dict):
        sampler = _sampler(dict(sampler), dataset, cfg['batch_size'], seed)
    if cfg.get('num_workers', 0) == 0:
        cfg.pop('persistent_workers', None)
        cfg.pop('prefetch_factor', None)
    cfg.setdefault('pin_memory', torch.cuda.is_available())
    collate = _collate(cfg.pop('collate_fn', dict(type=COLLATE)))
    generator = torch.Generator().manual_seed(seed)
    if cfg.get('num_workers', 0) and hasattr(os, 'setpgrp'):
        cfg.setdefault('worker_init_fn', leave_process_group)
    return FaceLoader(dataset, sampler=sampler, collate_fn=collate, generator=generator, **cfg)


def _key(cfg, key):
    """A key with the file of its config, where it is of one (str)."""
    file = getattr(cfg, 'filename', None)
    return f'{file}: {key}' if file else key


def fill_num_classes(cfg):
    """Open the training set, take the number of classes from it, and compare it with a stated one.

    A head that takes ``label_spaces`` is told those of a mix of sets.

    Args:
        cfg (Config): Changed in place: ``model.head.num_classes`` is filled in.

    Returns:
        Dataset or None: The training set, to be used rather than opened again.

    Raises:
        ConfigError: If the stated number is not the data's.
        MissingDataError: If the data is not there.
    """
    loader = cfg.get('train_dataloader')
    if not loader or not isinstance(loader.get('dataset'), dict):
        return None
    seed = (cfg.get('randomness') or {}).get('seed')
    dataset = build_dataset(loader['dataset'], _key(cfg, 'train_dataloader.dataset'), seed)
    metainfo = getattr(dataset, 'metainfo', None) or {}
    found = metainfo.get('num_classes')
    head = cfg['model'].get('head') if isinstance(cfg.get('model'), dict) else None
    if found is None or not isinstance(head, dict):
        return dataset
    stated = head.get('num_classes')
    if stated is not None and stated != found:
        raise ConfigError(f'model.head.num_classes is {stated}, but the training set has {found} classes '
                          f'({loader["dataset"]["type"]}). Leave it out to take the number from the data')
    head['num_classes'] = found
    if metainfo.get('label_spaces') and 'label_spaces' in (parameters_of(MODELS.get(head.get('type'))) or {}):
        head['label_spaces'] = list(metainfo['label_spaces'])
    return dataset


def check_evaluation_sets(cfg):
    """Open the validation set, so that a missing file is an error before training begins.

    Raises:
        MissingDataError: If one is not there.
    """
    loader = cfg.get('val_dataloader')
    if loader and isinstance(loader.get('dataset'), dict):
        try:
            build_dataset(loader['dataset'], _key(cfg, 'val_dataloader.dataset'))
        except MissingDataError as error:
            raise MissingDataError(f'{error} To train without: --cfg-options val_dataloader=None') from error
