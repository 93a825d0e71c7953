"""A training run as a checkpoint, and back."""
import contextlib
import hashlib
import shutil
from pathlib import Path

import torch
from torch.distributed.checkpoint import CheckpointException

from mlaface.engine.checkpoint import rows, store
from mlaface.engine.checkpoint.random_state import random_state
from mlaface.engine.checkpoint.row_manifest import compare_classes
from mlaface.engine.checkpoint.row_reader import IMPORT
from mlaface.engine.checkpoint.row_writer import link_rows
from mlaface.engine.checkpoint.state import load_optimizer, load_trunk, optimizer_state, sharded_tensors, trunk_state
from mlaface.engine.distributed import gather_objects
from mlaface.engine.errors import CheckpointError
from mlaface.utils.configs import config_from_text, config_text
from mlaface.version import __version__


class _NotStated:
    def __repr__(self):
        return 'not stated'


NOT_STATED = _NotStated()


def classes_sha256(classes):
    """Hash of the class names in label order, by which two label spaces are compared (hex string)."""
    digest = hashlib.sha256()
    for name in classes:
        digest.update(str(name).encode() + b'\n')
    return digest.hexdigest()


def data_classes(runner):
    """Names of the training data's classes in label order, or None if the data set does not tell."""
    return (getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}).get('classes')


def describe_model(runner):
    """The ``model`` entry of a checkpoint: trunk weights and what an application must know to use them."""
    model, classes = runner.bare_model, data_classes(runner)
    metainfo = getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}
    return dict(state_dict=trunk_state(model), num_classes=metainfo.get('num_classes'),
                classes_sha256=classes_sha256(classes) if classes is not None else None,
                embedding_size=getattr(model, 'embedding_size', None), input=getattr(model, 'input_spec', None))


def collect(runner):
    """All that a run needs to continue, as tensors and plain values; called by all ranks.

    Args:
        runner (FaceRunner): In between two iterations.

    Returns:
        dict: As in docs/architecture.md, without ``rows``.
    """
    content = dict(schema=store.SCHEMA, mlaface=__version__, config=config_text(runner.cfg), seed=runner.seed,
                   commit=runner.commit, model=describe_model(runner), optimizer=optimizer_state(runner.optim_wrapper),
                   schedulers=[plain_state(scheduler) for scheduler in runner.param_schedulers or []],
                   loop=runner.train_loop.state_dict(), history=runner.history.state_dict(),
                   rng={str(rank): state for rank, state in enumerate(gather_objects(random_state()))})
    runner.call_hook('before_save_checkpoint', checkpoint=content)
    return content


def plain_state(scheduler):
    """The state of a schedule, of numbers, texts and lists of them only."""
    return {key: value for key, value in scheduler.state_dict().items()
            if isinstance(value, (int, float, str, bool, list, type(None)))}


def save(runner, path, twin=None):
    """Write a checkpoint: rows first, the file that makes it a checkpoint last. Called by all ranks.

    Args:
        runner (FaceRunner): In between two iterations.
        path (str | Path): The ``.pth`` file.
        twin (dict, optional): What ``save`` returned for another name of this moment in the same folder: the rows,
            which may be large, are then not written again.

    Returns:
        dict or None: The ``rows`` entry of the file.

    Raises:
        CheckpointError: On all ranks, if it could not be written; nothing older is lost.
    """
    path = Path(path)
    content = collect(runner)
    try:
        content['rows'] = _save_rows(runner, store.rows_folder(path), twin)
    except (OSError, RuntimeError, CheckpointException) as error:
        raise store.write_error(path, error) from error
    failure = None
    if runner.rank == 0:
        try:
            store.write(path, content)
        except CheckpointError as error:
            failure = error
            shutil.rmtree(store.rows_folder(path), ignore_errors=True)
    failures = [error for error in gather_objects(failure) if error is not None]
    if failures:
        raise failures[0]
    return content['rows']


def _save_rows(runner, folder, twin):
    """Write the row-sharded tensors, or give those of a twin a second name; the ``rows`` entry of a checkpoint."""
    if not sharded_tensors(runner.bare_model):
        return None
    if twin is not None:
        with contextlib.suppress(OSError):  # a file system without links
            link_rows(folder.parent / twin['folder'], folder)
            return dict(twin, folder=folder.name)
    return rows.save_rows(folder, runner.bare_model, runner.optim_wrapper.optimizer, data_classes(runner))


def load_weights(runner, path):
    """Load the trunk's weights to train on from them with a fresh head, whatever its margin.

    Args:
        runner (FaceRunner): Before training.
        path (str | Path): A checkpoint, a bare state dict or a published file; a name of the zoo.

    Returns:
        str: What was loaded and what was not, for the log.

    Raises:
        CheckpointError: If the file is torn, or its trunk is of another architecture.
    """
    found = store.read_weights(path)
    load_trunk(runner.bare_model, found['state_dict'], path, head=False)
    count = sum(not name.startswith('head.') for name in found['state_dict'])
    text = f'{count} tensors of the trunk from {path}' + (' (the moving average)' if found['average'] else '')
    own = getattr(getattr(runner.bare_model, 'head', None), 'num_classes', None)
    if found['num_classes']:
        text += (f'; the head of its {found["num_classes"]:,} identities is left out and begins anew'
                 + (f' for {own:,}' if own else ''))
    return text


def resume(runner, path):
    """Continue where a checkpoint was written; called by all ranks.

    Args:
        runner (FaceRunner): With loop, optimizer and schedules built.
        path (str | Path): The ``.pth`` file.

    Returns:
        int: The iteration as the file numbers it.

    Raises:
        CheckpointError: If the file is not whole, or is not of this model, optimizer or data.
    """
    content = store.read(path)
    load_trunk(runner.bare_model, content['model']['state_dict'], path)
    _check_classes(runner, content, path)
    load_optimizer(runner.optim_wrapper, content['optimizer'], path)
    _load_rows(runner, content, path)
    _warn_of_another_head(runner, content, path)
    runner.call_hook('after_load_checkpoint', checkpoint=content)
    _resume_progress(runner, content)
    return content['loop']['iter']


def _load_rows(runner, content, path):
    """Fill the head's rows and their optimizer state, on this run's number of ranks."""
    model = runner.bare_model
    if not sharded_tensors(model):
        return
    if not content['rows']:
        raise CheckpointError(f'{path} holds no class centres, and this model has {", ".join(sharded_tensors(model))}')
    folder = Path(path).resolve().parent / content['rows']['folder']
    try:
        rows.load_rows(folder, model, runner.optim_wrapper.optimizer, data_classes(runner))
    except (OSError, ValueError) as error:
        raise CheckpointError(f'{path}: {error}') from error


def _check_classes(runner, content, path):
    """Refuse to continue on other classes: the head's rows would belong to other people."""
    found = describe_model(runner)['classes_sha256']
    saved = content['model']['classes_sha256']
    if saved and found and saved != found:
        folder = Path(path).resolve().parent / content['rows']['folder'] if content['rows'] else None
        difference = folder and compare_classes(folder, data_classes(runner))
        raise CheckpointError(f'{path} was trained on other classes than the data set of this config has: '
                              f'{difference or "their names, in order, differ"}. To train on new data from these '
                              f'weights: load_from, not --resume; {IMPORT}')


def _warn_of_another_head(runner, content, path):
    """Say what the config states otherwise of the head, and so of its margin and losses: it may be meant, or a slip.

    A config that is not of plain values cannot be compared.
    """
    with contextlib.suppress(ValueError, KeyError, AttributeError):
        before, now = (config_from_text(text, path)['model'].get('head')
                       for text in (content['config'], config_text(runner.cfg)))
        if changes := _changes(before, now, 'model.head'):
            runner.logger.warning(f'the config of {path} states another head: {"; ".join(changes)}. Training goes on '
                                  'with that of this config; set it back if it was not meant')


def _changes(before, now, key):
    """What differs between two parts of configs, in words (list[str]), a dict's entries one by one."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [line for name in {**before, **now} if name != 'chunk_size'  # which changes memory and no number
                for line in _changes(before.get(name, NOT_STATED), now.get(name, NOT_STATED), f'{key}.{name}')]
    before, now = (list(value) if isinstance(value, tuple) else value for value in (before, now))
    return [] if before == now else [f'{key} was {before!r} and is {now!r}']


def _resume_progress(runner, content):
    """Restore loop, schedules, history and random state."""
    loop, saved = runner.train_loop, content['loop']
    loop.load_state_dict(saved)
    runner.set_seed(content['seed'])
    runner.history.load_state_dict(content['history'], saved['iter'], loop.iter)
    if loop.iter == saved['iter']:
        for scheduler, state in zip(runner.param_schedulers or [], content['schedulers']):
            if hasattr(scheduler, 'seek'):  # length and rates are those of the config, which may have been changed
                scheduler.seek(state['_global_step'])
            else:
                scheduler.load_state_dict(state)
    else:
        now = loop.micro_batch * loop.accumulate
        change = (f'an update was made of {saved["global_batch"]} images and is made of {now} now'
                  if now != saved['global_batch'] else
                  f'an epoch had {saved["epoch_length"]} updates of {now} images and has {loop.epoch_length} now')
        runner.logger.warning(f'{change}: iteration {saved["iter"]} becomes '
                              f'{loop.iter}, and learning rate and schedule are those of this config')
        runner.rewind_schedules(loop.iter, loop.epoch)
    loop.random_state = content['rng'].get(str(runner.rank))
    if loop.random_state is None:
        torch.manual_seed(runner.seed + runner.rank)
