"""What every benchmark stands on: cases in turn, warm-up left out, paired ratios, one table and one JSON."""
import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlaface.cli.benchmark import SUBJECTS, main
from mlaface.cli.benchmarks import gallery, harness
from mlaface.cli.benchmarks._gallery_cases import BEST, blocks, probes_and_answers
from mlaface.cli.benchmarks.detectors import SIDE, SITUATIONS, compose, masked, matched
from mlaface.datasets.synthetic.generate import Recipe, generate
from mlaface.utils.errors import UserError

SECONDS = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=9)


def test_cases_run_in_turn_and_the_warm_up_does_not_count():
    order = []

    def case(name, given=None):
        def run():
            order.append(name)
            return given
        return run
    found = harness.measure(dict(a=case('a', 2.5), b=case('b', 7)), repeats=3, warmup=2)
    assert order == ['a', 'b'] * 5 and found['a'] == [2.5] * 3
    assert len(found['b']) == 3 and max(found['b']) < 7, 'only a float is a time of its own'


def test_what_a_case_takes_is_what_its_clock_says(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 12.0, 20.0, 25.0])
    monkeypatch.setattr(time, 'perf_counter', lambda: next(clock))
    assert harness.measure(dict(only=lambda: None), repeats=2)['only'] == [2.0, 5.0]


@given(SECONDS)
def test_a_row_is_the_middle_of_its_values(values):
    row = harness.row('case', values, 's')
    assert row['min'] <= row['median'] == row['value'] <= row['max'] and row['repeats'] == len(values)
    assert (row['min'], row['max']) == (min(values), max(values))


@given(SECONDS, st.floats(0.1, 10))
def test_a_ratio_stands_drift_of_the_machine(values, times):
    drifting = [value * (number + 1) for number, value in enumerate(values)]
    assert harness.paired_ratio([times * value for value in drifting], drifting) == pytest.approx(times)


def test_a_report_is_a_table_and_a_file(tmp_path, capsys):
    report = harness.result('toy', [harness.row('one', [1.0, 3.0, 2.0], 'ms')], {'one over two': 0.5})
    harness.show(report, str(tmp_path / 'deep' / 'b.json'))
    assert json.loads((tmp_path / 'deep' / 'b.json').read_text()) == report
    printed = capsys.readouterr().out
    assert 'one over two: 0.5' in printed and 'benchmark toy' in printed and 'ms' in printed
    assert report['schema'] == 1 and {'torch', 'cpu_threads', 'date'} <= set(report['environment'])


@pytest.mark.parametrize('subject', SUBJECTS)
def test_every_subject_says_how_it_is_called(subject, capsys):
    with pytest.raises(SystemExit) as end:
        main([subject, '--help'])
    printed = capsys.readouterr().out
    assert not end.value.code and 'xample' in printed and '--out' in printed


def test_a_gallery_case_that_cannot_run_is_left_out_and_refused_when_it_was_asked_for(capsys, monkeypatch):
    monkeypatch.setattr(gallery, 'is_installed', lambda package: package != 'faiss')
    cases = gallery.cases_of(gallery.parser().parse_args([]))
    told = capsys.readouterr().err
    assert 'faiss' not in cases and 'postgresql' not in cases and 'sqlite' in cases
    assert "left out: case faiss needs faiss, which is not installed: pip install 'mlaface[search]'" in told
    assert 'left out: case postgresql needs --server URL' in told
    for name in ('faiss', 'postgresql'):
        with pytest.raises(UserError, match=f'case {name} needs'):
            gallery.cases_of(gallery.parser().parse_args(['--only', name]))


def test_figures_of_a_gallery_become_rows_and_ratios():
    figures = dict(name='sqlite', count=1000, enroll=5.0, load=1.0, search=[2.0, 4.0, 3.0], processor=[2.0], many=[1.0],
                   recall=1.0, same_ranks=True, read=[1.0, 2.0, 3.0], bytes=dict(disk=2 ** 20, peak=2 ** 21,
                                                                               index=gallery.LARGE + 1))
    rows = {row['case']: row['value'] for row in gallery.rows_of(figures)}
    assert rows['sqlite, 1,000: search'] == 3.0 and rows['sqlite, 1,000: disk'] == 1.0
    assert rows['sqlite, 1,000: peak memory'] == 2.0 and rows['sqlite, 1,000: the same five in the same order'] == 1.0
    rival = dict(figures, name='faiss', search=[6.0])
    ratios = gallery.ratios_of(figures, [figures, rival])
    assert ratios['sqlite, 1,000: FAISS flat over it'] == 2.0
    assert ratios['sqlite, 1,000: share of the bandwidth'] == 0.5
    small = dict(figures, bytes=dict(figures['bytes'], index=100))
    assert 'sqlite, 1,000: index' not in {row['case'] for row in gallery.rows_of(small)}
    assert gallery.ratios_of(small, [small, dict(rival, count=7)]) == {}


def test_generated_people_are_the_same_each_time_and_their_best_are_known():
    first, again = (dict(blocks(300)) for _ in range(2))
    assert list(first) == [0] and np.array_equal(first[0], again[0])
    np.testing.assert_allclose(np.linalg.norm(first[0], axis=1), 1, atol=1e-6)
    probes, places = probes_and_answers(300)
    scores = probes.astype(np.float64) @ first[0].T.astype(np.float64)
    assert places.shape == (len(probes), BEST)
    assert np.array_equal(places, np.argsort(-scores, axis=1, kind='stable')[:, :BEST])


@pytest.mark.parametrize('situation', SITUATIONS)
def test_a_composed_picture_knows_where_its_faces_are(situation):
    rng, number = np.random.default_rng(0), SITUATIONS[situation][0]
    faces = [np.full((112, 112, 3), 40 + 10 * place, np.uint8) for place in range(12)]
    plain = [np.zeros((SIDE, SIDE, 3), np.uint8)]
    picture, points = compose(faces, plain, SITUATIONS[situation], rng)
    assert points.shape == (number, 5, 2) and not plain[0].any(), 'the background stays as it was'
    inside = points.reshape(-1, 2).round().astype(int)
    shown = inside[(inside >= 0).all(1) & (inside < SIDE).all(1)]
    assert len(shown) >= 3 * number and picture[shown[:, 1], shown[:, 0]].any(axis=1).all()


def test_only_faces_that_are_near_are_matched_and_each_once():
    class Found:
        def __init__(self, points):
            self.points = points
    known = np.array([[[0, 0], [10, 0], [5, 5], [1, 9], [9, 9]], [[50, 50], [60, 50], [55, 55], [51, 59], [59, 59]]])
    known = known.astype(float)
    assert matched([], known) == [] and matched([Found(known[0] + 40)], known[:1]) == []
    assert matched([Found(known[1]), Found(known[0] + [1, 0])], known) == pytest.approx([0.1, 0.0])
    assert len(matched([Found(known[0])], np.concatenate([known[:1], known[:1]]))) == 1


def test_a_masked_face_keeps_its_eyes():
    face = np.zeros((112, 112, 3), np.uint8)
    covered = masked(face)
    assert not covered[:58].any() and covered[85, 56].all() and not face.any()


def test_a_worker_is_compared_by_the_clock_and_by_processor_time(tmp_path):
    generate(tmp_path, Recipe(identities=2, images_per_identity=8, test_identities=20, pairs=20))
    out = tmp_path / 'data.json'
    main(['data', str(tmp_path / 'train.rec'), '--images', '1024', '--repeats', '1', '--out', str(out)])
    report = json.loads(out.read_text())
    assert [(line['case'], line['unit'].count('processor')) for line in report['rows']] == [
        (case, clock) for clock in (0, 1) for case in ('bare', 'bare, same memory', 'worker')]
    assert all(line['value'] > 0 for line in report['rows']) and len(report['ratios']) == 4


def test_styles_are_drawn_in_turn(tmp_path):
    out = tmp_path / 'drawing.json'
    main(['data', '--drawing', '--images', '12', '--repeats', '1', '--out', str(out)])
    report = json.loads(out.read_text())
    rates = {line['case']: line['value'] for line in report['rows']}
    assert report['ratios'] == {'heads over flat': pytest.approx(rates['heads'] / rates['flat'])}
