"""Running statistics of norms over ranks, and the numbers of a run that a crash has left half written."""
import json

import pytest
import torch
from torch import nn

from mlaface.engine.distributed import average_statistics, moving_statistics
from mlaface.engine.history import History
from tests.damage import damaged_copies
from tests.engine.gloo import run_ranks


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.BatchNorm1d(16),
                         nn.BatchNorm1d(16, track_running_stats=False), nn.BatchNorm1d(16))


def images(rank):
    return torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(rank)) * (rank + 1) + rank


def trained(rank):
    model = network().train()
    model[5].eval()  # a frozen norm
    model(images(rank))
    return model


def averaged(rank, world):
    model = trained(rank)
    average_statistics(model)
    average_statistics(nn.Sequential(nn.Linear(2, 2)))  # nothing to share is no reason to wait
    return dict(model.named_buffers())


@pytest.mark.parametrize('world', [2, 3])
def test_all_ranks_get_the_mean_and_frozen_norms_keep_their_own(world, tmp_path):
    found = run_ranks(averaged, world, tmp_path)
    alone = [dict(trained(rank).named_buffers()) for rank in range(world)]
    for name, buffer in found[0].items():
        assert all(torch.equal(buffer, other[name]) for other in found), name
        mean = torch.stack([own[name].double() for own in alone]).mean(0)
        torch.testing.assert_close(buffer.double(), mean, rtol=1e-6, atol=1e-7)
    fresh = dict(network().named_buffers())
    assert torch.equal(found[0]['5.running_mean'], fresh['5.running_mean'])
    assert not torch.equal(found[0]['1.running_mean'], alone[0]['1.running_mean'])


def test_one_rank_is_left_alone():
    model = trained(1)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    average_statistics(model)
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert len(moving_statistics(model)) == 4 and not moving_statistics(model.eval())
    assert not moving_statistics(nn.SyncBatchNorm.convert_sync_batchnorm(trained(0)))


def written(path, count=5):
    history = History(path)
    for iteration in range(1, count + 1):
        history.add(iteration, dict(loss=iteration / 2, broken=float('nan')))
    return history


def test_numbers_behind_the_checkpoint_are_dropped(tmp_path):
    path = tmp_path / 'scalars.jsonl'
    history = written(path)
    again = History(path)
    again.load_state_dict(history.state_dict(), 3)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line['iter'] for line in lines] == [1, 2, 3]
    assert lines[0] == dict(kind='train', iter=1, loss=0.5, broken=None)
    assert again.scalars['train/loss'] == ([1, 2, 3, 4, 5], [0.5, 1, 1.5, 2, 2.5])


def test_a_run_goes_on_whatever_a_crash_has_left_of_its_numbers(tmp_path):
    """A power cut may leave zeros, half a line, or bytes of another file: what can be read is kept."""
    path = tmp_path / 'scalars.jsonl'
    state = written(path).state_dict()
    data = path.read_bytes()
    whole = data.decode().splitlines()
    copies = damaged_copies(data, 100, cuts=60) + [
        data + bytes(4096), data + b'\xff\xfe', b'3\n[1]\nnull\n"a"\n' + data, data + b'{"iter": null}\n',
        data + b'{"iter": "4"}\n']
    for copy in copies:
        path.write_bytes(copy)
        History(path).load_state_dict(state, 3)
        kept = path.read_text().splitlines()
        assert all(json.loads(line)['iter'] <= 3 for line in kept)
    for tail in (bytes(4096), b'\xff\xfe', b'{"kind": "tr'):
        path.write_bytes(data + tail)
        History(path).load_state_dict(state, 5)
        assert path.read_text().splitlines() == whole
