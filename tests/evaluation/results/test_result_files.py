"""Result JSON and thresholds as files: what is written is read, what is damaged is named."""
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.evaluation.results.result import make_result, model_names, read_result, write_result
from mlaface.evaluation.results.thresholds import check_owner, read_report, read_thresholds, write_thresholds
from mlaface.evaluation.training_runs.reading import read_run
from tests.damage import check_refusals, damaged_copies

PLAIN = st.recursive(st.one_of(st.none(), st.booleans(), st.integers(-2**70, 2**70), st.text(max_size=5),
                               st.floats(allow_nan=False, allow_infinity=False)),
                     lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner,
                                                                                          max_size=3)), max_leaves=8)


def entry(accuracy):
    return dict(protocol='pairs', rules={}, counts={}, metrics=dict(accuracy=dict(value=accuracy)))


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=4), st.floats(0, 1), max_size=4), PLAIN)
def test_a_result_comes_back(tmp_path_factory, accuracies, more):
    path = tmp_path_factory.getbasetemp() / 'result.json'
    result = dict(make_result({name: entry(value) for name, value in accuracies.items()}), more=more)
    write_result(result, path)
    assert read_result(path) == json.loads(json.dumps(result))
    mean = pytest.approx(np.mean(list(accuracies.values()))) if accuracies else None
    assert result['mean_accuracy'] == mean


def test_numbers_of_numpy_are_written_as_numbers(tmp_path):
    values = dict(a=np.float32(0.5), b=np.int64(3), c=np.bool_(True), d=np.arange(3), e=np.array([[0.25]]))
    write_result(dict(schema=1, benchmarks=values), tmp_path / 'a.json')
    assert read_result(tmp_path / 'a.json')['benchmarks'] == dict(a=0.5, b=3, c=True, d=[0, 1, 2], e=[[0.25]])
    for value in (float('nan'), np.float64('inf'), np.array([np.nan]), {1, 2}, 1j):
        with pytest.raises((ValueError, TypeError)):
            write_result(dict(schema=1, benchmarks=dict(a=value)), tmp_path / 'b.json')
    assert [path.name for path in tmp_path.iterdir()] == ['a.json']


FILES = dict(result=(dict(schema=1, benchmarks=dict(lfw=entry(0.5)), model=dict(file='ä')), read_result),
             thresholds=(dict(schema=1, model=dict(file='a.pth', sha256='ab'), thresholds={}), read_report))
FOREIGN = [b'', b'[]', b'null', b'{}', b'{"schema": 2}', b'[' * 10**5, b'{"a":' * 10**5, b'\xff\xfe{\0}\0', b'\x80',
           b'{"schema": 1, "benchmarks": [], "thresholds": []}', b'{"schema": 1, "benchmarks": 3, "thresholds": 3}']


@pytest.mark.parametrize('kind', FILES)
def test_a_damaged_file_is_read_or_named(kind, tmp_path):
    content, read = FILES[kind]
    data = json.dumps(content, ensure_ascii=False).encode()
    copies = damaged_copies(data, 200) + FOREIGN
    assert check_refusals(tmp_path / 'a.json', copies, read) < 100
    for foreign in FOREIGN:
        (tmp_path / 'a.json').write_bytes(foreign)
        with pytest.raises(ValueError, match='a.json'):
            read(tmp_path / 'a.json')
    (tmp_path / 'a.json').write_bytes(b'\xef\xbb\xbf' + data)
    assert read(tmp_path / 'a.json') == content


def test_thresholds_of_another_or_a_changed_model_are_refused(tmp_path):
    (tmp_path / 'best.pth').write_bytes(b'weights')
    model = dict(file='best.pth', sha256=hashlib.sha256(b'weights').hexdigest())
    report = dict(schema=1, thresholds=dict(far=0.1), model=model)
    write_thresholds(report, tmp_path / 'best.thresholds.json')
    assert read_thresholds(tmp_path / 'best.pth') == report
    check_owner(tmp_path / 'best.thresholds.json', tmp_path / 'best.pth')
    with pytest.raises(ValueError, match='holds the thresholds of best.pth: name another file'):
        check_owner(tmp_path / 'best.thresholds.json', tmp_path / 'best.onnx')
    (tmp_path / 'best.pth').write_bytes(b'weightt')
    with pytest.raises(ValueError, match='made for another model .*best.pth.* calibrate this one'):
        read_thresholds(tmp_path / 'best.pth')
    for model in ('best.pth', 3, [1]):
        (tmp_path / 'best.thresholds.json').write_text(json.dumps(dict(report, model=model)))
        with pytest.raises(ValueError, match='holds no thresholds of schema 1'):
            read_thresholds(tmp_path / 'best.pth')


@settings(max_examples=60)
@given(st.lists(st.sampled_from(['a', 'b/a', 'c/b/a', 'x/b/a', 'a.pth', '']), min_size=1, max_size=5))
def test_models_have_distinct_names(files):
    names = model_names([dict(file=file or None, name=None) for file in files])
    assert len(set(names)) == len(files) == len(names)


RUN = ''.join(f'{{"kind": "val", "iter": {k}, "mean_accuracy": {k / 10}}}\n' for k in range(1, 5))


def test_a_damaged_line_of_a_run_is_named(tmp_path):
    path = tmp_path / 'scalars.jsonl'
    copies = damaged_copies(RUN.encode(), 200, cuts=200)
    assert check_refusals(path, copies, lambda path: read_run(path.parent)) < len(copies)
    for line in (b'{"iter": Infinity}', b'{"iter": NaN}', b'\xff\xfe', b'[1]', b'3', b'{"iter": null}', b'[' * 10**5):
        path.write_bytes(line + b'\n' + RUN.encode())
        with pytest.raises(ValueError, match='scalars.jsonl, line 1'):
            read_run(tmp_path)
        path.write_bytes(RUN.encode() + line)  # a run that was killed
        assert read_run(tmp_path).scalars['mean_accuracy'] == ([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4])
