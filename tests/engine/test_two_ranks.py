"""Two ranks train one network: what is validated is what is saved, what is continued is what was stopped."""
import copy
import os
import shutil
import signal

import pytest
import torch
from torch import distributed

from mlaface.engine import signals
from mlaface.engine.checkpoint import store
from mlaface.engine.errors import Interrupted
from mlaface.engine.launch import build_runner
from tests.engine import toy
from tests.engine.gloo import run_ranks
from tests.engine.test_resume import StopAt, interrupted, losses, same

OPTIONS = dict(train_cfg__max_epochs=None, train_cfg__max_iters=4, train_cfg__val_interval=2, model__dropout=0.0,
               train_dataloader__batch_size=4, default_hooks__checkpoint__interval=1)


def buffers(model):
    return {name: buffer.clone() for name, buffer in model.named_buffers() if buffer.is_floating_point()}


def train(rank, world, folder, options, stop=None):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    signals.CHECK_EVERY = 1  # of this process
    runner = build_runner(toy.toy_config(folder, launcher='pytorch', **copy.deepcopy(options)))
    if stop is not None and rank == 0:  # one rank is told, both stop
        runner.register_hook(StopAt(stop))
    try:
        runner.train()
        code = 0
    except Interrupted as interrupted:
        code = interrupted.code
    alike = 1
    ema = next((hook.average for hook in runner.hooks if type(hook).__name__ == 'EMAHook'), {})
    for tensor in [*buffers(runner.bare_model).values(), *ema.values()]:
        first = tensor.detach().clone()
        distributed.broadcast(first, src=0)
        alike &= int(torch.equal(first, tensor))
    other = next((name for name, buffer in runner.bare_model.named_buffers() if 'running_mean' in name), '')
    return dict(alike=alike, iter=runner.iter, code=code, scored=runner.history.scalars.get('val/mean_accuracy'),
                moved=float(dict(runner.bare_model.named_buffers())[other].norm()))


def two_ranks(folder, options, stop=None):
    return run_ranks(train, 2, folder.with_name(f'{folder.name}_ranks{stop or ""}'), folder, options, stop)


def validated(folder, path):
    """The score of a checkpoint's network, as one process measures it."""
    runner = build_runner(toy.toy_config(folder, load_from=str(path), model__dropout=0.0, default_hooks__ema=None))
    runner.prepare_training()
    runner.val_loop.run()
    return runner.val_loop.evaluator.metrics[0].last_result['toy']['metrics']['accuracy']['value']


@pytest.fixture(scope='module', params=['average', pytest.param('weights', marks=pytest.mark.slow)])
def whole(request, tmp_path_factory):
    options = OPTIONS if request.param == 'average' else dict(OPTIONS, default_hooks__ema=None)
    folder = tmp_path_factory.mktemp(request.param) / 'run'
    return folder, two_ranks(folder, options), options


def test_running_statistics_and_averages_are_the_same_on_all_ranks(whole):
    _, results, _ = whole
    assert [result['alike'] for result in results] == [1, 1] and results[0]['moved'] == results[1]['moved'] > 0


def test_what_was_validated_is_what_was_saved(whole, tmp_path):
    folder, results, _ = whole
    steps, values = results[0]['scored']
    assert steps == [2, 4]
    for step, value in zip(steps, values):
        path = folder / store.NAME.format(step)
        path = path if path.exists() else folder / f'best_{store.NAME.format(step)}'
        assert validated(tmp_path / str(step), path) == pytest.approx(value, rel=1e-5)


@pytest.mark.slow  # test_margin_head_resume.py kills two ranks in the default suite
@pytest.mark.parametrize('stop', [1, 3])
def test_two_ranks_that_were_stopped_are_the_two_that_were_not(whole, tmp_path, stop):
    folder, _, options = whole
    assert [result['code'] for result in two_ranks(tmp_path / 'run', options, stop)] == [128 + signal.SIGTERM] * 2
    resumed = two_ranks(tmp_path / 'run', dict(options, resume=True))
    assert [(result['iter'], result['code'], result['alike']) for result in resumed] == [(4, 0, 1)] * 2
    assert losses(tmp_path / 'run') == losses(folder)
    first, second = (store.read(store.checkpoints(place)[0]) for place in (folder, tmp_path / 'run'))
    assert {'model', 'optimizer', 'best', 'rng'} <= first.keys() == second.keys()
    same(*({key: value for key, value in state.items() if key not in ('config', 'rows')} for state in (first, second)))


@pytest.mark.slow
def test_one_rank_continues_two_and_two_continue_one(whole, tmp_path):
    folder, results, options = whole
    shutil.copytree(folder, tmp_path / 'one')
    for path in store.checkpoints(tmp_path / 'one')[:2]:
        store.remove(path)
    one = toy.run(tmp_path / 'one', resume=True, optim_wrapper__accumulative_counts=2, **options)
    assert one.iter == 4 and one.history.scalars['train/loss'][0] == [1, 2, 3, 4]
    single = tmp_path / 'single'
    toy.run(single, optim_wrapper__accumulative_counts=2, **dict(options, train_cfg__max_iters=2))
    both = two_ranks(single, dict(options, resume=True))
    assert [(result['iter'], result['alike']) for result in both] == [(4, 1)] * 2
    assert both[0]['scored'][0] == [2, 4]


@pytest.mark.slow
@pytest.mark.parametrize('stop', [3, 14])
def test_epochs_that_one_rank_began_and_two_end_have_the_updates_of_two(tmp_path, stop):
    """44 images by 4 on one rank, 11 updates an epoch; by 4 on each of two, 5."""
    options = dict(OPTIONS, train_cfg__max_epochs=2, train_cfg__max_iters=None, train_cfg__val_interval=None)
    interrupted(tmp_path / 'run', stop, **options)
    both = two_ranks(tmp_path / 'run', dict(options, resume=True))
    assert [(result['iter'], result['alike']) for result in both] == [(10, 1)] * 2
    assert [path.name for path in store.checkpoints(tmp_path / 'run')][0] == store.NAME.format(10)


@pytest.mark.slow
def test_norms_that_follow_the_images_while_the_trunk_waits_are_shared_too(tmp_path):
    """All but the head waits, so that there is no gradient of the trunk to share and no wrapper."""
    options = dict(OPTIONS, custom_hooks=[dict(type='HeadFirstHook', iters=3, norm_eval=False)])
    results = two_ranks(tmp_path / 'run', options)
    assert [result['alike'] for result in results] == [1, 1] and results[0]['moved'] > 0
