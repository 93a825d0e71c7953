"""A fault of one rank ends the others, which wait in a collective, with one line that names it."""
import os
import time

import pytest
import torch
from mmengine.hooks import Hook

from mlaface.cli.parts import errors
from mlaface.engine import faults
from mlaface.engine.errors import RankError
from mlaface.engine.launch import build_runner
from mlaface.utils.errors import InputError
from tests.engine.gloo import run_ranks
from tests.engine.toy import ToyRecognizer, toy_config


class Fails(Hook):
    """On rank 1, before the third update."""

    at = {}

    def __init__(self, kind):
        self.kind = kind

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == 2:
            self.at['time'] = time.monotonic()
            if runner.rank == 1 and self.kind == 'image':
                raise InputError('7.jpg is torn')
            if runner.rank == 1 and self.kind == 'plugin':
                raise KeyError('of a plugin')
            if runner.rank == 1:
                runner.bare_model.backbone[0].weight.data[0] = torch.nan


def broken(self, **arguments):
    raise InputError('the weights are torn')


def failing(rank, world, folder, kind):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    faults.POLL, faults.GRACE, faults.AFTER_FIRST = 0.2, 0.5, 0.2
    begun = time.monotonic()

    def end(said, error='none', speaks=None):  # of the process, whose main thread may wait
        torch.save(dict(said=said, error=error, speaks=speaks, seconds=time.monotonic() - Fails.at.get('time', begun)),
                   folder / f'result{rank}')
        while not (folder / f'result{1 - rank}').exists():
            time.sleep(0.1)
        time.sleep(0.2)
        os._exit(0)
    faults._end = end
    try:
        if kind == 'model' and rank == 1:
            ToyRecognizer.__init__ = broken
        runner = build_runner(toy_config(folder / 'run', launcher='pytorch', train_dataloader__batch_size=4))
        runner.register_hook(Fails(kind))
        runner.train()
    except Exception as error:
        end(str(error), type(error).__name__, getattr(error, 'speaks', None))


@pytest.mark.parametrize('kind, error, said', [
    ('image', 'InputError', '7.jpg is torn'),
    pytest.param('model', 'InputError', 'the weights are torn', marks=pytest.mark.slow),
    pytest.param('plugin', 'KeyError', 'of a plugin', marks=pytest.mark.slow),
    pytest.param('weight', 'DivergenceError', 'tensor: parameter backbone.0.weight', marks=pytest.mark.slow)])
def test_the_others_end_within_seconds_and_name_the_rank(tmp_path, kind, error, said):
    other, one = run_ranks(failing, 2, tmp_path, tmp_path, kind)
    assert one['error'] == error and one['speaks'] and said in one['said']
    assert other['error'] == ('RankError' if kind == 'weight' else 'none')  # all see a loss that is not finite
    assert other['said'].startswith('rank 1 ended the run: ') and said in other['said'] and '\n' not in other['said']
    assert one['seconds'] < 10 and other['seconds'] < 10


def test_one_rank_speaks_and_the_others_wait_for_the_launcher(monkeypatch):
    monkeypatch.setenv('RANK', '3')
    waited = []
    monkeypatch.setattr(errors, '_wait_for_others', waited.append)
    told = InputError('7.jpg is torn')
    told.speaks = True
    for error, message in ((told, 'error: rank 3: 7.jpg is torn'), (RankError('rank 1 ended'), 'error: rank 1 ended')):
        with pytest.raises(SystemExit, match=f'^{message}'), errors.explained():
            raise error
    assert waited == [0, errors.BYSTANDER_SECONDS]


def test_a_peer_that_ended_without_a_word_is_said_in_a_line(monkeypatch):
    class Store:
        def check(self, keys):
            return False
    monkeypatch.setattr(faults, 'UNKNOWING', 0)
    with pytest.raises(RankError, match=r'^another rank ended or does not answer \(Connection closed by peer\)'):
        faults._tell(Store(), RuntimeError('[/gloo/pair.cc:553] Connection closed by peer. This is typically\nhere'))
