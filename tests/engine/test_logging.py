"""What a run leaves behind."""
import json

import pytest

from mlaface.engine.curves import draw_curves
from mlaface.engine.history import History
from tests.engine.toy import run


def test_tensorboard_is_a_backend(tmp_path):
    pytest.importorskip('tensorboard')
    run(tmp_path, train_cfg__max_epochs=1,
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='TensorboardVisBackend')]))
    assert list(tmp_path.rglob('events.out.tfevents*'))


def test_history_notes_values_and_forgets_what_came_after_a_checkpoint(tmp_path):
    history = History(tmp_path / 's.jsonl')
    for iteration in (1, 2, 3):
        history.add(iteration, dict(loss=float(iteration)))
    saved = json.loads(json.dumps(history.state_dict()))
    again = History(tmp_path / 's.jsonl')
    again.load_state_dict({'train/loss': [[1, 2], [1.0, 2.0]]}, 2)
    again.add(3, dict(loss=float('nan')))
    lines = [json.loads(line) for line in (tmp_path / 's.jsonl').read_text().splitlines()]
    assert [line['loss'] for line in lines] == [1.0, 2.0, None]
    assert saved['train/loss'] == [[1, 2, 3], [1.0, 2.0, 3.0]]


def test_history_of_a_run_with_another_global_batch_keeps_all_and_its_order(tmp_path):
    history = History(tmp_path / 's.jsonl')
    for iteration in (2, 4, 6, 8, 10):
        history.add(iteration, dict(loss=float(iteration)))
    history.load_state_dict({'train/loss': [[2, 4, 6, 8], [2.0, 4.0, 6.0, 8.0]]}, 8, 2)  # four times the images
    history.add(3, dict(loss=11.0))
    lines = [json.loads(line) for line in (tmp_path / 's.jsonl').read_text().splitlines()]
    assert [(line['iter'], line['loss']) for line in lines] == [(0, 2), (1, 4), (2, 6), (2, 8), (3, 11)]
    assert history.scalars['train/loss'] == ([0, 1, 2, 2, 3], [2, 4, 6, 8, 11])


def test_curves_are_drawn_of_whatever_there_is(tmp_path):
    for scalars in ({}, {'train/loss': ([1], [2.0])}, {'val/lfw/accuracy': ([1, 2], [0.5, 0.6])}):
        draw_curves(scalars, tmp_path / 'c.png')
        assert (tmp_path / 'c.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize('hardware, said', [(False, 1), (True, 0)])
def test_a_processor_that_emulates_a_type_is_named_with_the_remedy(tmp_path, monkeypatch, hardware, said):
    from mlaface.engine import environment
    monkeypatch.setattr(environment, '_in_hardware', lambda amp: hardware)
    environment.warn_of_emulation.cache_clear()
    run(tmp_path, optim_wrapper__amp='bfloat16', train_cfg__max_epochs=1)
    environment.warn_of_emulation.cache_clear()
    text = (tmp_path / 'log.txt').read_text()
    assert text.count('optim_wrapper.amp: this processor has no instructions for bfloat16') == said
    assert text.count('--cfg-options optim_wrapper.amp=None') == said
