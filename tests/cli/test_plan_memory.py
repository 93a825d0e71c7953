"""The plan against real steps, whose tensors are counted."""
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mlaface.cli.parts.memory_table import IDENTITIES, RANKS
from mlaface.cli.plan_memory import main
from mlaface.engine.memory import AllocationTracker, measured_step, trunk_memory
from mlaface.engine.memory_plan import HeadPlan, alternatives, plan

MODEL = dict(type='FaceRecognizer', backbone=dict(type='IResNet', depth=18, width=0.125),
             neck=dict(type='EmbeddingNeck', in_channels=64, in_size=7, embedding_size=64))
CONFIG = 'configs/arcface_r18w025_synthetic.py'


@pytest.fixture(scope='module')
def trunk():
    """Memory of the network without its head, on four images."""
    return trunk_memory(dict(MODEL, head=dict(type='MarginHead', num_classes=500, embedding_size=64)), 4)


def test_tracker_counts_what_is_alive_once():
    given = torch.zeros(1000)
    with AllocationTracker() as tracker:
        made = given + 1
        view = made[:10]
        given.add_(1)
        assert tracker.live == 4000
        del made
        assert tracker.live == 4000, 'the view keeps it'
        del view
        both = torch.zeros(500)
    assert tracker.live == 2000 and tracker.peak == 4000 and len(both) == 500


PLAIN = [(dict(), dict(type='SGD', lr=0.1, momentum=0.9)), (dict(), dict(type='AdamW', lr=0.1))]
OTHERS = [(dict(), dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4)),
          (dict(), dict(type='RowSGD', lr=0.1, momentum=0.9, weight_decay=5e-4)),
          (dict(chunk_size=512), dict(type='RowSGD', lr=0.1, momentum=0.9)),
          (dict(sample_rate=0.1), dict(type='RowSGD', lr=0.1, momentum=0.9)),
          (dict(sample_rate=0.1, chunk_size=256), dict(type='RowAdamW', lr=0.1))]


@pytest.mark.parametrize('classes, head, update', [
    *((50_000, *each) for each in PLAIN + OTHERS), *((500, *each) for each in PLAIN),
    *(pytest.param(500, *each, marks=pytest.mark.slow) for each in OTHERS)], ids=str)  # there the trunk takes it all
def test_plan_is_within_ten_percent_of_a_real_step(head, update, classes, trunk):
    model = dict(MODEL, head=dict(type='MarginHead', num_classes=classes, embedding_size=64, **head))
    real = measured_step(model, 4, update)
    planned = plan(trunk, HeadPlan(classes, 64, 4, optimizer=update['type'],
                                   weight_decay=update.get('weight_decay', 0.0), **head))
    assert planned['peak'] == pytest.approx(real['peak'], rel=0.1)


@pytest.mark.parametrize('stages, frozen', [(2, []), (4, []), (4, ['neck'])])
def test_plan_counts_what_is_frozen_as_a_weight_alone(stages, frozen):
    whole = dict(MODEL, head=dict(type='MarginHead', num_classes=500, embedding_size=64))
    model = dict(whole, backbone=dict(MODEL['backbone'], frozen_stages=stages), frozen=frozen)
    trunk, update = trunk_memory(model, 4), dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4)
    planned, real = plan(trunk, HeadPlan(500, 64, 4)), measured_step(model, 4, update)
    assert planned['peak'] == pytest.approx(real['peak'], rel=0.1)
    assert trunk['parameters'] == trunk_memory(whole, 4)['parameters'] > trunk['learning']
    assert (trunk['numbers'] == 0) == (frozen == ['neck'])


@pytest.mark.slow
def test_a_large_batch_is_the_line_through_small_ones():
    small, large = trunk_memory(MODEL, 6), trunk_memory(MODEL, 24)
    with AllocationTracker() as tracker:
        from mlaface.registry import MODELS
        trunk = MODELS.build(dict(MODEL, head=None)).train()
        embeddings = trunk(torch.zeros(24, 3, 112, 112, dtype=torch.uint8), mode='tensor')
        grown = tracker.live
    assert len(embeddings) == 24
    assert large['activations'] + large['parameters'] + large['buffers'] == pytest.approx(grown, rel=0.01)
    assert large['activations'] > 3.9 * small['activations']


def test_more_ranks_sampling_and_chunks_help_as_they_should():
    head = HeadPlan(1_000_000, 512, 128, gpus=8)
    trunk = dict(parameters=0, learning=0, buffers=0, activations=0, step=0, largest=0, numbers=10)
    assert head.bytes()['head weights'] == 125_000 * 512 * 4
    assert replace(head, classes=1_000_001).rows == 125_001
    full = plan(trunk, head)['peak']
    others = alternatives(trunk, head)
    assert others.pop('optimizer=RowSGD') == full, 'the update is not the worst moment of this one'
    assert set(others) == {'sample_rate=0.1', 'chunk_size=16384', 'gpus=16'} and max(others.values()) < full
    chunked = replace(head, gpus=1, chunk_size=16384, optimizer='RowSGD')
    weights = 3 * chunked.bytes()['head weights']
    assert plan(trunk, chunked)['peak'] < 1.25 * weights < plan(trunk, replace(chunked, optimizer='SGD'))['peak']


def test_communication_does_not_depend_on_classes():
    small, large = HeadPlan(10, 512, 128, gpus=8), HeadPlan(10 ** 8, 512, 128, gpus=8)
    assert small.communication(5) == large.communication(5)
    assert large.communication(5)['head'] == pytest.approx(7 / 8 * 1024 * (2 * 512 * 4 + 8 + 24))
    assert HeadPlan(10, 512, 128).communication(5) == dict(trunk=0, head=0)


def test_sub_centers_are_counted_as_the_margin_has_them(tmp_path):
    config = tmp_path / 'sub.py'
    config.write_text(f"_base_ = '{Path(CONFIG).resolve()}'\nmodel = dict(head=dict(margin=dict(_delete_=True, "
                      "type='SubCenterArcFace')))\n")
    assert main([str(config), '--batch-size', '4', '--classes', '100', '--json', str(tmp_path / 'p.json')]) == 0
    assert json.loads((tmp_path / 'p.json').read_text())['head']['per_class'] == 3


def test_command_prints_a_plan_and_writes_json(tmp_path, capsys):
    arguments = ['--classes', '3000', '--batch-size', '4', '--measure', '--json', str(tmp_path / 'p.json')]
    assert main([CONFIG, *arguments]) == 0
    report = json.loads((tmp_path / 'p.json').read_text())
    assert report['peak'] == pytest.approx(report['measured']['peak'], rel=0.1)
    printed = capsys.readouterr().out
    assert 'head optimizer' in printed and 'with sample_rate=0.1' in printed


def test_identities_that_the_config_states_of_its_data_need_no_data(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(['configs/arcface_mbf_glint360k.py', '--gpus', '8', '--batch-size', '2']) == 0
    assert 'per rank: 360,232 identities, 8 rank(s), batch 2 each' in capsys.readouterr().out


def test_command_prints_the_table_of_the_documentation(capsys):
    assert main([CONFIG, '--batch-size', '4', '--table']) == 0
    assert capsys.readouterr().out.count('\n|') == len(IDENTITIES) * len(RANKS) + 1


@pytest.mark.parametrize('arguments, message', [
    (['--gpus', '0'], '--gpus is 0'), (['--sample-rate', '1.5'], 'at most 1'), (['--optimizer', 'Sgd'], 'RowSGD'),
    (['--gpus', '8', '--classes', '4'], '4 identities cannot'), (['--gpus', '2', '--measure'], 'one process')])
def test_what_makes_no_plan_is_an_error_in_words(arguments, message):
    with pytest.raises(SystemExit, match=f'^error: .*{message}'):
        main([CONFIG, '--batch-size', '4', '--classes', '100', *arguments])
