"""MXNet's files: any arrays come back, any design, and what is damaged is named."""
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.export.mxnet.convert import from_mxnet, symbol_path
from mlaface.export.mxnet.params import CODES, read_params, write_params
from mlaface.export.mxnet.symbol import Design, read_symbol, write_symbol
from mlaface.utils.errors import InputError
from tests.damage import check_refusals, damaged_copies

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)
ARRAYS = st.dictionaries(st.text(st.characters(exclude_categories=['Cs']), max_size=6), st.tuples(
    SHAPES, st.sampled_from(sorted(map(str, CODES))), st.booleans()), max_size=5)


def filled(shape, kind, turned):
    array = np.random.default_rng(len(shape)).integers(0, 100, shape).astype(kind)
    return array.T if turned else array


@settings(max_examples=60)
@given(ARRAYS)
def test_any_arrays_come_back(tmp_path_factory, described):
    path = tmp_path_factory.getbasetemp() / 'a.params'
    arrays = {name: filled(*form) for name, form in described.items()}
    write_params(path, arrays)
    found = read_params(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_damaged_parameters_are_read_or_named(tmp_path):
    path = tmp_path / 'a.params'
    write_params(path, {'arg:a': np.ones((2, 3), 'f4'), 'aux:b': np.arange(3, dtype='f2')})
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(InputError, match='a.params cannot be read as parameters of MXNet'):
            read_params(path)
    copies = damaged_copies(data, 600, cuts=0)
    assert check_refusals(path, copies, read_params, lambda arrays: sum(a.size for a in arrays.values())) < len(copies)


DESIGNS = st.builds(Design, st.tuples(*[st.integers(1, 3)] * 4), st.tuples(*[st.integers(1, 64)] * 4),
                    st.integers(1, 999), st.floats(0, 255), st.floats(1e-3, 1), st.sampled_from([1e-5, 2e-5, 1e-3]),
                    st.sampled_from([0.0, 0.4, 0.5]))


@settings(max_examples=40)
@given(DESIGNS)
def test_any_design_comes_back(design):
    assert read_symbol(write_symbol(design)) == design


SYMBOL = write_symbol(Design((1, 1, 1, 1), (8, 16, 32, 64), 16))


def test_a_damaged_symbol_is_read_or_refused(tmp_path):
    for copy in damaged_copies(SYMBOL.encode(), 300, cuts=60):
        try:
            design = read_symbol(copy.decode(errors='replace'))
        except InputError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert len(design.units) == len(design.channels) == 4


@pytest.mark.parametrize('change', ['swap', 'eps', 'stride', 'lost', 'input', 'kind'])
def test_another_network_is_told(change):
    content = json.loads(SYMBOL)
    nodes = {node['name']: node for node in content['nodes']}
    if change == 'swap':
        plus = nodes['stage2_unit1_plus']
        plus['inputs'] = plus['inputs'][::-1]
    elif change == 'eps':
        nodes['stage1_unit1_bn2']['attrs']['eps'] = '0.1'
    elif change == 'stride':
        nodes['stage3_unit1_conv2']['attrs']['stride'] = '(1, 1)'
    elif change == 'lost':
        nodes['stage1_unit1_relu1']['op'] = 'identity'
    elif change == 'input':
        nodes['stage1_unit1_conv2']['inputs'][0] = nodes['stage1_unit1_conv1']['inputs'][0]
    else:
        nodes['relu0']['attrs']['act_type'] = 'leaky'
    with pytest.raises(InputError, match='operator [0-9]+ is .*, where an LResNet-E-IR has'):
        read_symbol(json.dumps(content))


@pytest.mark.parametrize('content', [b'\xff\xfe', b'[' * 10**5, b'{"nodes": [3]}', b'{}', b'3', b'{"nodes": 3}',
                                     b'{"nodes": [{"op": "null", "name": "fc1", "inputs": []}]}'])
def test_what_is_no_symbol_is_named_with_its_file(tmp_path, content):
    write_params(tmp_path / 'm-0000.params', {'arg:a': np.ones(3, 'f4')})
    symbol_path(tmp_path / 'm-0000.params').write_bytes(content)
    with pytest.raises(InputError, match='m-symbol.json'):
        from_mxnet(tmp_path / 'm-0000.params', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()
