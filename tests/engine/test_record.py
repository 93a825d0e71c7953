"""What a run notes for studies, across interruptions, and validations that look at less."""
import json
import os
import signal

import pytest
from mmengine.hooks import Hook

from mlaface.engine.errors import ConfigError, Interrupted
from mlaface.engine.hooks.record import plain_values
from mlaface.engine.launch import build_runner
from mlaface.registry import METRICS
from tests.engine import toy

RECORD = dict(default_hooks__record=dict(type='RunRecordHook'), val_evaluator__type='TableMetric')


@METRICS.register_module()
class TableMetric(toy.ToyMetric):
    """The toy metric with its table as result JSON has it."""

    def compute_metrics(self, results):
        found = super().compute_metrics(results)
        self.last_result = dict(benchmarks=self.last_result)
        return found


class Stop(Hook):
    """Sends this process a signal before an iteration."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx + 1 == self.iteration:
            os.kill(os.getpid(), signal.SIGTERM)


def run(folder, *hooks, **options):
    config = toy.toy_config(folder, **{**RECORD, **options})
    runner = build_runner(config)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return json.loads((folder / 'record.json').read_text())


@pytest.mark.slow
def test_a_resumed_run_notes_what_the_uninterrupted_one_does(tmp_path):
    whole = run(tmp_path / 'whole')
    with pytest.raises(Interrupted):
        run(tmp_path / 'cut', Stop(8))
    resumed = run(tmp_path / 'cut', resume='latest')
    assert [(e['iter'], e['images'], e['sets']) for e in resumed['validations']] == [
        (e['iter'], e['images'], e['sets']) for e in whole['validations']]
    assert all(entry['sets']['toy'] for entry in whole['validations'])
    times = [entry['processor'] for entry in resumed['validations']]
    assert len(times) == 3 and times == sorted(times) and times[0] > 0
    assert resumed['max_iters'] == 15 and resumed['macs'] is None and resumed['parameters'] > 0


def test_training_ends_when_its_time_is_over(tmp_path):
    record = run(tmp_path, default_hooks__record=dict(type='RunRecordHook', max_seconds=1e-9))
    assert record['validations'][-1]['iter'] == 1 < record['max_iters']


def test_validations_in_between_look_at_less(tmp_path):
    whole = run(tmp_path / 'whole')
    less = run(tmp_path / 'less', val_cfg__between=dict(images=8))
    assert [entry['whole'] for entry in less['validations']] == [False, False, True]
    assert [entry['whole'] for entry in whole['validations']] == [True] * 3
    values = [[entry['sets']['toy']['accuracy'] for entry in found['validations']] for found in (whole, less)]
    assert values[0][2] == values[1][2] and values[0][0] != values[1][0]


@pytest.mark.parametrize('options', [dict(train_cfg__max_epochs=2), dict(train_cfg__max_epochs=2,
                                                                           train_cfg__val_interval=5)])
def test_the_last_validation_looks_at_all_wherever_a_run_ends(tmp_path, options):
    """A run that goes on with another global batch ends with its last epoch."""
    less = dict(val_cfg__between=dict(images=8))
    run(tmp_path, train_cfg__max_epochs=1, optim_wrapper__accumulative_counts=2, **less)
    record = run(tmp_path, resume='latest', **less, **options)
    last = record['validations'][-1]
    assert last['whole'] and last['iter'] == record['max_iters'] == 10


@pytest.mark.parametrize('interval, places', [(3, [3, 6, 8]), (4, [4, 8]), (100, [8])])
def test_the_end_is_validated_once_whether_the_interval_divides_it_or_not(tmp_path, interval, places):
    record = run(tmp_path, train_cfg__max_epochs=None, train_cfg__max_iters=8, train_cfg__val_interval=interval)
    assert [entry['iter'] for entry in record['validations']] == places


def test_a_training_that_is_over_before_its_time_ends_with_a_whole_look(tmp_path):
    record = run(tmp_path, default_hooks__record=dict(type='RunRecordHook', max_seconds=1e-9),
                 val_cfg__between=dict(images=8))
    assert record['validations'][-1]['whole']


def test_a_precision_that_nobody_has_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="val_cfg.amp is 'half'"):
        run(tmp_path, val_cfg__amp='half')


def test_numbers_of_a_table_by_dotted_names():
    assert plain_values(dict(accuracy=dict(value=1, std=2), tar_at_far={'1e-2': dict(value=0.5)}, folds=[1])) == {
        'accuracy': 1.0, 'tar_at_far.1e-2': 0.5}
