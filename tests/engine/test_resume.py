"""A run that was stopped and continued is the run that was not stopped, bit for bit."""
import copy
import errno
import json
import os
import signal

import pytest
import torch
from mmengine.hooks import Hook

from mlaface.engine.checkpoint import store
from mlaface.engine.errors import CheckpointError, Interrupted
from mlaface.engine.launch import build_runner, set_seed
from tests.engine.toy import run, toy_config


class StopAt(Hook):
    """Sends this process a signal in the middle of an iteration."""

    def __init__(self, iteration, number=signal.SIGTERM):
        self.iteration, self.number = iteration, number

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx + 1 == self.iteration:
            os.kill(os.getpid(), self.number)


def losses(work_dir):
    lines = [json.loads(line) for line in (work_dir / 'scalars.jsonl').read_text().splitlines()]
    return [(line['kind'], line['iter'], line.get('loss'), line.get('lr'), line.get('mean_accuracy')) for line in lines]


def interrupted(work_dir, iteration, **options):
    runner = build_runner(toy_config(work_dir, **options))
    runner.register_hook(StopAt(iteration))
    with pytest.raises(Interrupted) as stop:
        runner.train()
    assert stop.value.code == 128 + signal.SIGTERM
    return runner


def same(first, second):
    for key, value in first.items():
        other = second[key]
        if isinstance(value, dict):
            same(value, other)
        elif isinstance(value, torch.Tensor):
            assert torch.equal(value, other), key
        elif not isinstance(value, (list, tuple)):
            assert value == other, key


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    run(folder)
    return folder


def last_state(folder):
    content = store.read(store.checkpoints(folder)[0])
    return {key: content[key] for key in ('model', 'optimizer', 'ema', 'best', 'loop', 'rng', 'schedulers')}


@pytest.mark.parametrize('iteration, workers', [
    (1, 0), pytest.param(3, 0, marks=pytest.mark.slow), (5, 0), (7, 0), pytest.param(12, 0, marks=pytest.mark.slow),
    (8, 2)])  # an epoch has five iterations
def test_resumed_run_is_the_uninterrupted_one(whole, tmp_path, iteration, workers):
    options = dict(train_dataloader__num_workers=workers)
    stopped = interrupted(tmp_path, iteration, **options)
    assert stopped.iter == iteration
    resumed = run(tmp_path, resume=True, **options)
    assert resumed.iter == 15 and resumed.epoch == 3
    assert losses(tmp_path) == losses(whole)
    same(last_state(whole), last_state(tmp_path))
    assert torch.equal(resumed.bare_model.head.weight, run_weight(whole))


def run_weight(folder):
    from mlaface.engine.checkpoint.rows import SavedRows
    return SavedRows(store.rows_folder(store.checkpoints(folder)[0]), 'model.head.weight')[:]


@pytest.mark.slow
def test_resumed_run_with_accumulation_and_iteration_intervals(tmp_path):
    options = dict(optim_wrapper__accumulative_counts=2, train_cfg__max_epochs=None, train_cfg__max_iters=8,
                   train_cfg__val_interval=3, default_hooks__checkpoint__interval=2)
    run(tmp_path / 'whole', **options)
    interrupted(tmp_path / 'parts', 4, **options)
    run(tmp_path / 'parts', resume=True, **options)
    assert losses(tmp_path / 'whole') == losses(tmp_path / 'parts')
    same(last_state(tmp_path / 'whole'), last_state(tmp_path / 'parts'))


def test_what_continues_a_run_is_told_as_it_was_begun(tmp_path, monkeypatch):
    runner = build_runner(toy_config(tmp_path))
    for begun, told in (('tools/train.py', 'python tools/train.py'), ('/usr/bin/mlaface', 'mlaface train')):
        monkeypatch.setattr('sys.argv', [begun])
        assert runner.resume_command == f'{told} {tmp_path / "config.py"} --work-dir {tmp_path} --resume'


def test_a_finished_run_is_not_trained_again(whole, tmp_path):
    run(tmp_path)
    before = losses(tmp_path)
    log, said = tmp_path / 'log.txt', 'nothing is left to train'
    assert said not in log.read_text()
    again = run(tmp_path, resume=True)
    assert again.iter == 15 and losses(tmp_path) == before
    run(tmp_path, resume=True, train_cfg__max_epochs=None, train_cfg__max_iters=9)
    first, second = (line for line in log.read_text().splitlines() if said in line)
    assert 'iter_00000015.pth is at or behind train_cfg.max_epochs=3: raise that to train on' in first
    assert 'is at or behind train_cfg.max_iters=9: raise that to train on' in second


def test_a_killed_run_loses_only_the_numbers_after_its_checkpoint(whole, tmp_path):
    run(tmp_path)
    for path in store.checkpoints(tmp_path)[:2]:  # as if it had been killed in the second epoch
        store.remove(path)
    with open(tmp_path / 'scalars.jsonl', 'a') as file:
        file.write('{"kind": "train", "iter": 1')
    run(tmp_path, resume=True)
    assert losses(tmp_path) == losses(whole)


@pytest.mark.parametrize('damage', ['torn', 'empty', 'rows', 'pickle'])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path, damage, caplog):
    run(tmp_path)
    latest, previous = store.checkpoints(tmp_path)[:2]
    if damage == 'torn':
        latest.write_bytes(latest.read_bytes()[:-200])
    elif damage == 'empty':
        latest.write_bytes(b'')
    elif damage == 'rows':
        data = next(p for p in store.rows_folder(latest).iterdir() if p.suffix == '.distcp')
        data.write_bytes(data.read_bytes()[:-10])
    else:
        torch.save(dict(schema=1, model=print), latest)
    warnings = []
    assert store.find_latest(tmp_path, warnings.append) == previous
    assert len(warnings) == 1 and str(latest) in warnings[0]
    resumed = run(tmp_path, resume=True)
    assert resumed.iter == 15


def test_another_architecture_is_refused_with_names_and_shapes(tmp_path):
    run(tmp_path)
    expected = r'backbone.0.weight: \(8, 3, 3, 3\) in the file, \(4, 3, 3, 3\) in the model'
    with pytest.raises(CheckpointError, match=expected) as error:
        run(tmp_path, resume=True, model__hidden=4)
    assert 'config' in str(error.value)


@pytest.mark.parametrize('change, message', [
    (lambda classes: classes[::-1], 'in another order'),
    (lambda classes: ['new', *classes[1:], 'more'],
     r'only in the checkpoint: 1 \(person 0\); only in the data: 2 \(new, more\)')])
def test_other_classes_are_refused_by_name(change, message, tmp_path, monkeypatch):
    from tests.engine import toy
    run(tmp_path, train_cfg__max_epochs=1)
    old = toy.ToyFaces.__init__

    def renamed(self, *args, **kwargs):
        old(self, *args, **kwargs)
        classes = change(self.metainfo['classes'])
        self.metainfo.update(classes=classes, num_classes=len(classes))

    monkeypatch.setattr(toy.ToyFaces, '__init__', renamed)
    with pytest.raises(CheckpointError, match=f'other classes.*{message}.*mlaface centers'):
        run(tmp_path, resume=True)


def test_a_new_run_sets_the_old_one_aside(tmp_path):
    """Checkpoints, log and numbers, those of visual backends and of studies too: each folder is one run's."""
    options = dict(visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
                   custom_hooks=[dict(type='RunRecordHook')])
    run(tmp_path, train_cfg__max_epochs=2, **copy.deepcopy(options))
    log = (tmp_path / 'log.txt').read_text()
    run(tmp_path, train_cfg__max_epochs=1, **copy.deepcopy(options))
    earlier = tmp_path / 'previous_1'
    assert [path.name for path in store.checkpoints(tmp_path)] == ['iter_00000005.pth']
    assert store.checkpoints(earlier)[0].name == 'iter_00000010.pth'
    for folder, epochs in ((tmp_path, 1), (earlier, 2)):
        steps = range(1, 5 * epochs + 1)
        shown = [json.loads(line) for line in (folder / 'vis_data' / 'scalars.json').read_text().splitlines()]
        assert {line[1] for line in losses(folder)} == set(steps)
        assert [line['step'] for line in shown if 'train/loss' in line] == list(steps)
        assert {path.name for path in folder.glob('record_*.npz')} == {f'record_{5 * e + 5}.npz' for e in range(epochs)}
    own = (tmp_path / 'log.txt').read_text()
    assert (earlier / 'log.txt').read_text() == log
    assert own.count('iter 5/5 ') == 1 and own.count(' mlaface ') == 1 and 'iter 5/10 ' not in own


def test_numbers_of_a_run_that_wrote_no_checkpoint_are_kept(tmp_path):
    run(tmp_path, train_cfg__max_epochs=1)
    for path in store.checkpoints(tmp_path):
        path.unlink()
    run(tmp_path, train_cfg__max_epochs=1)
    assert {path.suffix for path in (tmp_path / 'previous_1').iterdir()} >= {'.txt', '.jsonl', '.json', '.py'}
    assert not (tmp_path / 'previous_1' / 'iter_00000005.rows').exists()  # rows alone are no checkpoint


def test_resuming_without_a_checkpoint_starts_a_clean_run(tmp_path, whole):
    (tmp_path / 'scalars.jsonl').write_text('{"kind": "train", "iter": 1, "loss": 9.0}\n')  # killed before the first
    run(tmp_path, resume=True)
    assert losses(tmp_path) == losses(whole)


def test_a_run_killed_before_its_first_checkpoint_keeps_the_seed_it_drew(tmp_path):
    def begin(resume, stated=None, given=None):
        config = toy_config(tmp_path, resume=resume)
        config.randomness = {} if stated is None else dict(seed=stated)
        set_seed(config, given)
        return build_runner(config).seed  # from here on the folder tells; the training itself never begins

    drawn = begin(False)
    assert f'seed={drawn}' in (tmp_path / 'config.py').read_text()
    assert begin(True) == drawn and begin(True, stated=3) == 3 and begin(True, given=5) == 5 == begin(True)
    assert begin(False) != 5, 'a new run draws anew'
    (tmp_path / 'config.py').write_text('randomness = dict(se')
    begin(True)


def test_fine_tuning_in_the_same_folder_loads_before_it_sets_aside(tmp_path):
    run(tmp_path, train_cfg__max_epochs=1)
    trained = store.read_weights(tmp_path / 'best.pth')['state_dict']  # the average, which was validated
    runner = build_runner(toy_config(tmp_path, load_from=str(tmp_path / 'best.pth')))
    runner.prepare_training()
    assert (tmp_path / 'previous_1' / 'best.pth').exists() and not (tmp_path / 'best.pth').exists()
    runner.call_hook('before_train')
    average = next(hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook').average
    trunk = {name: tensor for name, tensor in trained.items() if name in average}
    assert trunk and all(torch.equal(tensor, average[name]) for name, tensor in trunk.items())


def test_fine_tuning_takes_a_bare_state_dict_and_leaves_the_head_fresh(tmp_path):
    trained = run(tmp_path / 'first', train_cfg__max_epochs=1).bare_model
    torch.save(trained.state_dict(), tmp_path / 'weights.pth')
    runner = build_runner(toy_config(tmp_path / 'second', load_from=str(tmp_path / 'weights.pth')))
    fresh = runner.bare_model.head.weight.clone()
    runner.prepare_training()
    assert torch.equal(runner.bare_model.neck[2].weight, trained.neck[2].weight)
    assert torch.equal(runner.bare_model.head.weight, fresh) and not torch.equal(fresh, trained.head.weight)


def test_only_the_last_and_the_best_are_kept(tmp_path):
    runner = run(tmp_path, default_hooks__checkpoint__max_keep=1)
    names = sorted(path.name for path in tmp_path.glob('*.pth'))
    best = (tmp_path / 'best.pth').resolve()
    assert names == ['best.pth', best.name, 'iter_00000015.pth']
    content = store.read(tmp_path / 'best.pth')
    scores = [line for line in losses(tmp_path) if line[0] == 'val']
    assert content['best']['value'] == max(line[4] for line in scores)
    assert sorted(path.name for path in tmp_path.glob('*.rows')) == [best.stem + '.rows', 'iter_00000015.rows']
    assert runner.epoch == 3


@pytest.mark.parametrize('links', [True, False])
def test_rows_of_the_best_and_of_the_numbered_checkpoint_are_stored_once(tmp_path, monkeypatch, links):
    def refused(*names):
        raise PermissionError(errno.EPERM, 'Operation not permitted')

    if not links:
        monkeypatch.setattr(os, 'link', refused)
    run(tmp_path, train_cfg__max_epochs=1)
    best, numbered = (tmp_path / 'best.pth').resolve(), store.checkpoints(tmp_path)[0]
    shards = [next(store.rows_folder(path).glob('*.distcp')) for path in (best, numbered)]
    assert best.stem == f'best_{numbered.stem}' and shards[0].samefile(shards[1]) == links
    rows = store.read(numbered)['rows']
    store.remove(best)
    assert rows['folder'] == f'{numbered.stem}.rows' and store.read(numbered)['rows'] == rows
    assert run(tmp_path, train_cfg__max_epochs=2, resume=True).iter == 10


BY_ITERATIONS = dict(train_cfg__max_epochs=None, train_cfg__val_interval=None, default_hooks__checkpoint__interval=2)


def numbers(folder):
    return sorted(int(path.stem.removeprefix('iter_')) for path in store.checkpoints(folder))


def test_a_run_with_another_global_batch_keeps_what_it_writes(tmp_path):
    """Its updates have lower numbers than those before: they must not be taken for old ones, and removed."""
    options = dict(BY_ITERATIONS, train_cfg__max_iters=12, default_hooks__checkpoint__max_keep=3)
    run(tmp_path, **options)
    assert numbers(tmp_path) == [8, 10, 12]
    larger = run(tmp_path, resume=True, optim_wrapper__accumulative_counts=2, **{**options, 'train_cfg__max_iters': 9})
    assert larger.iter == 9 and numbers(tmp_path) == [6, 8, 9]
    assert store.read(store.find_latest(tmp_path, pytest.fail))['loop']['global_batch'] == 16
    assert sorted(path.name for path in (tmp_path / 'previous_1').glob('*.pth')) == [
        f'iter_{number:08d}.pth' for number in (8, 10, 12)]
    again = run(tmp_path, resume=True, optim_wrapper__accumulative_counts=2, **{**options, 'train_cfg__max_iters': 10})
    assert again.iter == 10 and numbers(tmp_path) == [8, 9, 10] and not (tmp_path / 'previous_2').exists()


def test_the_place_of_a_run_is_written_anew_under_its_new_number(tmp_path):
    options = dict(BY_ITERATIONS, train_cfg__max_iters=8)
    run(tmp_path, **options)
    later = run(tmp_path, resume=True, optim_wrapper__accumulative_counts=2, **options)
    content = store.read(store.checkpoints(tmp_path)[0])
    assert later.iter == content['loop']['iter'] == 8 and content['loop']['global_batch'] == 16


@pytest.mark.parametrize('stop, sampler, batch, accumulate', [
    (6, dict(type='ToySampler'), 4, 1), (1, dict(type='ToySampler'), 12, 1), (3, dict(type='ToySampler'), 8, 2),
    (9, dict(type='EpochSampler', drop_last=False), 8, 2), (3, dict(type='EpochSampler', drop_last=False), 7, 1)])
def test_a_training_by_epochs_has_its_count_of_updates_whatever_the_batches_were(
        tmp_path, stop, sampler, batch, accumulate):
    """44 images by 8, from within an epoch by another number: the last epoch ends with the last update."""
    options = dict(val_cfg=None, val_dataloader=None, val_evaluator=None, train_dataloader__sampler=sampler,
                   train_cfg__max_epochs=2, default_hooks__ema=None)
    interrupted(tmp_path, stop, **options)
    later = run(tmp_path, resume=True, **dict(options, train_dataloader__batch_size=batch,
                                              optim_wrapper__accumulative_counts=accumulate))
    length = later.train_loop.epoch_length
    assert later.iter == later.max_iters == 2 * length and later.epoch == 2
    assert later.history.scalars['train/lr'][1][-1] == pytest.approx(0.05 * length ** -2)  # the schedule's last


def test_the_same_global_batch_put_together_otherwise_has_other_updates_in_an_epoch(tmp_path):
    """36 images are 5 batches of 8, of which two make an update and the last none; or 3 of 16, the last of 4."""
    options = dict(val_cfg=None, val_dataloader=None, val_evaluator=None, train_cfg__max_epochs=2,
                   default_hooks__ema=None, train_dataloader__dataset__images=36,
                   train_dataloader__sampler=dict(type='EpochSampler', drop_last=False))
    interrupted(tmp_path, 3, **options, optim_wrapper__accumulative_counts=2)
    later = run(tmp_path, resume=True, **options, train_dataloader__batch_size=16)
    assert later.iter == later.max_iters == 6 and later.epoch == 2
    assert later.history.scalars['train/lr'][1][-1] == pytest.approx(0.05 * 3 ** -2)  # the schedule's last
    assert 'an epoch had 2 updates of 16 images and has 3 now: iteration 3 becomes 4' in (
        tmp_path / 'log.txt').read_text()


def test_a_place_that_becomes_number_0_is_no_beginning(tmp_path):
    """One update of 8 images is none of 24; the average, and centres from elsewhere, go on all the same."""
    options = dict(val_cfg=None, val_dataloader=None, val_evaluator=None, train_cfg__max_epochs=1)
    interrupted(tmp_path, 1, **options)
    runner = build_runner(toy_config(tmp_path, resume=True, optim_wrapper__accumulative_counts=3, **options))
    runner.prepare_training()
    average = next(hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook').average
    before = {name: tensor.clone() for name, tensor in average.items()}
    runner.call_hook('before_train')
    assert runner.iter == 0 and not runner.train_loop.fresh
    assert all(torch.equal(tensor, before[name]) for name, tensor in average.items())
    assert not torch.equal(average['gate'], runner.bare_model.gate.detach())


@pytest.mark.parametrize('kill', [False, True])
def test_going_back_moves_what_lies_behind(tmp_path, kill, monkeypatch):
    run(tmp_path, **{**BY_ITERATIONS, 'train_cfg__max_iters': 12, 'train_cfg__val_interval': 3,
                     'default_hooks__checkpoint__max_keep': 9})
    (tmp_path / 'best.pth').unlink()
    best = next(tmp_path.glob('best_iter_*.pth'))
    for suffix in ('.pth', '.rows'):  # as if the best came late
        best.with_suffix(suffix).rename(tmp_path / f'best_iter_00000012{suffix}')
    (tmp_path / 'best.pth').symlink_to('best_iter_00000012.pth')
    options = dict(BY_ITERATIONS, train_cfg__max_iters=9, train_cfg__val_interval=3, resume=True,
                   load_from=str(tmp_path / 'iter_00000006.pth'), optim_wrapper__optimizer__lr=0.001)
    if kill:
        runner = build_runner(toy_config(tmp_path, **options))
        runner.register_hook(StopAt(7))
        with pytest.raises(Interrupted):
            runner.train()
        options = dict(options, load_from=None)
    back = run(tmp_path, **options)
    assert back.iter == 9 and numbers(tmp_path)[-1] == 9 and 12 not in numbers(tmp_path)
    moved = sorted(path.name for path in (tmp_path / 'previous_1').iterdir())
    assert {'iter_00000008.pth', 'iter_00000012.rows', 'best_iter_00000012.pth'} <= set(moved)
    assert (tmp_path / 'best.pth').resolve().name in ('best_iter_00000006.pth', 'best_iter_00000009.pth')


@pytest.mark.slow
def test_a_longer_training_follows_its_own_schedule(tmp_path):
    run(tmp_path / 'short', train_cfg__max_epochs=2)
    longer = run(tmp_path / 'short', train_cfg__max_epochs=4, resume=True)
    whole = run(tmp_path / 'whole', train_cfg__max_epochs=4)
    rates = [runner.history.scalars['train/lr'][1][10:] for runner in (longer, whole)]
    assert rates[0] == rates[1]


@pytest.mark.parametrize('kind', ['checkpoint alone', 'bare state dict', 'average'])
def test_fine_tuning_begins_with_the_trunk_and_says_what_it_leaves_out(tmp_path, kind):
    """A checkpoint's rows need not be there, and its moving average is what was validated."""
    first = run(tmp_path / 'first', train_cfg__max_epochs=1, **({} if kind == 'average' else
                                                                  {'default_hooks__ema': None}))
    content = store.read(store.checkpoints(tmp_path / 'first')[0])
    expected = {**content['model']['state_dict'], **(content.get('ema') or {})}
    content['model']['num_classes'] = 17
    torch.save(first.bare_model.state_dict() if kind == 'bare state dict' else content, tmp_path / 'weights.pth')
    runner = build_runner(toy_config(tmp_path / 'second', load_from=str(tmp_path / 'weights.pth')))
    fresh = runner.bare_model.head.weight.clone()
    runner.prepare_training()
    state = runner.bare_model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())
    assert torch.equal(runner.bare_model.head.weight, fresh)
    log = (tmp_path / 'second' / 'log.txt').read_text()
    assert f'tensors of the trunk from {tmp_path / "weights.pth"}' in log
    assert ('(the moving average)' in log) == (kind == 'average')
    assert ('head of its 17 identities is left out' in log) == (kind != 'bare state dict')


def test_a_resumed_run_without_a_checkpoint_begins_with_the_weights_of_its_config(tmp_path):
    from mlaface.engine.launch import train
    from tests.engine.toy import config_file
    weights = run(tmp_path / 'first', train_cfg__max_epochs=1).bare_model
    torch.save(weights.state_dict(), tmp_path / 'weights.pth')
    options = {'train_cfg.max_epochs': 1, 'optim_wrapper.optimizer.lr': 0.0, 'val_dataloader': None}
    for folder in (tmp_path / 'a', tmp_path / 'a'):  # the second reads the config that the first has left
        config = folder / 'config.py' if folder.exists() else config_file(tmp_path)
        loaded = train(config, folder, resume=True, cfg_options=options, seed=0,
                       load_from=None if folder.exists() else str(tmp_path / 'weights.pth'))
        assert torch.equal(loaded.gate, weights.gate) and torch.equal(loaded.neck[2].weight, weights.neck[2].weight)
        for path in store.checkpoints(folder):
            store.remove(path)
