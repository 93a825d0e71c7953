"""Indexes and metafiles: an entry comes back, and a file that is none is named with its line."""
import random

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.utils.errors import InputError
from mlaface.zoo.index import read_index
from mlaface.zoo.metafile import index_results, metafile
from mlaface.zoo.model_file import TYPES, read_metadata, read_model_file, write_model_file
from tests.damage import check_refusals, damaged_copies, flipped

TEXTS = st.text(st.characters(exclude_categories=['Cs', 'Cc']), min_size=1, max_size=9)
INDEX = """Import:
- "*/metafile.yml"
Models:
- Name: a
  Config: configs/a.py
  Weights: https://example.org/a
  Metadata: {File: x, SHA256: y, File Size: 3}
  Results:
  - Dataset: lfw
    Metrics: {Accuracy: 1.0}
"""


def read(path):
    return [(entry.has_weights, entry.config, dict(entry.metadata), list(entry.results))
            for entry in read_index(path).values()]


def test_a_damaged_index_is_read_or_named(tmp_path):
    copies = damaged_copies(INDEX.encode(), 250, cuts=120)
    assert check_refusals(tmp_path / 'index.yml', copies, read) < len(copies)


@pytest.mark.parametrize('text, words', [
    ('Import: a.yml\nModels: []', 'Import must be a list'), ('Import: [/etc/*]', 'Import names'),
    ('Import: [""]', 'Import names'), ('Import: [3]', 'Import names'), ('Import: [null]', 'Import names'),
    ('Import: [[a]]', 'Import names'), ('Models: {a: 1}', 'needs the list Models'), ('- a', 'no index of models'),
    ('Models: [3]', 'needs a Name'), ('Models: [{Name: 3}]', 'needs a Name'),
    ('Models: [{Name: a, Config: 3}]', 'Config of'),
    ('Models: [{Name: a, Metadata: [b]}]', 'Metadata of .* must be a dict'), ('a: ' + '[' * 5000, 'is not YAML'),
    ('Models: [{Name: a, Results: {b: c}}]', 'Results of .* must be a list'), ('a: 2024-99-99', 'is not YAML'),
    ('Models: [{Name: a}, {Name: a}]', "'a' is in the index twice"), ('a: !!python/object:os.system {}', 'is not YAML'),
    ('a: {b', 'is not YAML'), ('{[1]: 2}', 'is not YAML')])
def test_what_is_no_index_is_named_in_a_line(tmp_path, text, words):
    (tmp_path / 'index.yml').write_text(text)
    with pytest.raises(InputError, match=rf'index.yml.*{words}') as error:
        read_index(tmp_path / 'index.yml')
    assert len(str(error.value).splitlines()) == 1


def test_text_of_another_code_is_named(tmp_path):
    (tmp_path / 'index.yml').write_bytes('Models: [{Name: Zoë}]'.encode('latin-1'))
    with pytest.raises(InputError, match='index.yml is no UTF-8 text'):
        read_index(tmp_path / 'index.yml')
    (tmp_path / 'index.yml').write_bytes('\ufeffModels: [{Name: Zoë}]\r\n'.encode())
    assert list(read_index(tmp_path / 'index.yml')) == ['Zoë']


@settings(max_examples=40)
@given(TEXTS, st.dictionaries(TEXTS, st.tuples(st.floats(0, 1), st.booleans()), max_size=3),
       st.one_of(st.none(), TEXTS), st.integers(0, 2**40))
def test_an_entry_comes_back(tmp_path_factory, name, accuracies, license_data, size):
    path = tmp_path_factory.getbasetemp() / 'metafile.yml'
    metrics = {key: {metric: dict(value=value) for metric in ('accuracy', 'auc')[:1 + auc]}
               for key, (value, auc) in accuracies.items()}
    benchmarks = {key: dict(rules=dict(flip='sum'), metrics=found) for key, found in metrics.items()}
    benchmarks['search'] = dict(rules={}, metrics=dict(rank={}))
    facts = dict(name=name, collection='ArcFace', recipe='configs/a.py', data=name, parameters=3, file='a', size=size,
                 sha256='ab', license_weights='MIT', license_data=license_data, commit=None,
                 results=dict(benchmarks=benchmarks))
    path.write_text(metafile(facts), encoding='utf-8')
    entry, = read_index(path).values()
    assert (entry.name, entry.config, entry.collection) == (name, 'configs/a.py', 'ArcFace')
    assert entry.metadata['File Size'] == size and entry.metadata.get('License Data') == license_data
    assert entry.results == index_results(facts['results']) and len(entry.results) == len(accuracies)
    for row in entry.results:
        assert row['Metrics']['Accuracy'] == pytest.approx(accuracies[row['Dataset']][0], abs=1e-6)
    assert yaml.safe_load(path.read_text(encoding='utf-8'))['Models'][0].get('Weights') is None


METADATA = dict(mlaface='1', name='a', config=dict(type='x'), input={}, template=[], embedding_size=4)
KINDS = st.sampled_from(sorted(TYPES))


@settings(max_examples=40)
@given(st.dictionaries(TEXTS, st.tuples(st.lists(st.integers(0, 3), max_size=3), KINDS, st.booleans()), max_size=4),
       TEXTS)
def test_any_weights_come_back_under_one_name(tmp_path_factory, described, text):
    folder = tmp_path_factory.mktemp('models')
    described.pop('__metadata__', None)
    tensors = {}
    for name, (shape, kind, turned) in described.items():
        tensor = torch.randint(0, 2, shape).to(getattr(torch, kind))
        tensors[name] = tensor.T if turned and tensor.ndim == 2 else tensor
    path = write_model_file(folder, 'a', tensors, dict(METADATA, note=text))
    metadata, found = read_model_file(path)
    assert metadata['note'] == text and found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)
    assert write_model_file(folder, 'a', dict(reversed(tensors.items())), dict(METADATA, note=text)) == path


def test_no_single_damage_changes_a_weight(tmp_path):
    torch.manual_seed(0)
    tensors = dict(w=torch.randn(3, 4), b=torch.ones(2).half())
    data = write_model_file(tmp_path, 'a', tensors, METADATA).read_bytes()
    path, draw = tmp_path / 'renamed.safetensors', random.Random(0)

    def same(found):
        assert found[1].keys() == tensors.keys() and all(torch.equal(found[1][name], tensors[name]) for name in tensors)
    cuts = damaged_copies(data, 0, cuts=150)
    assert check_refusals(path, cuts, read_model_file) == 0
    check_refusals(path, [flipped(data, draw) for _ in range(250)], read_model_file, same)
    assert check_refusals(path, damaged_copies(data, 150, cuts=0, seed=1), read_metadata) < 150
