"""Verification sets: however a set is spelled its numbers are one, and nothing in a file is run."""
import io
import itertools
import os
import pickle
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.datasets.formats.bin_set import read_bin, write_bin
from mlaface.datasets.formats.errors import FormatError


@pytest.mark.parametrize('protocol', range(6))
def test_bin_sets_of_every_protocol(tmp_path, protocol):
    write_bin(tmp_path / 'a.bin', [b'\x80a', b'b', b'b', b'\xffc'], [True, False], protocol)
    found = read_bin(tmp_path / 'a.bin')
    assert found.images == [b'\x80a', b'b', b'b', b'\xffc'] and found.issame.tolist() == [True, False]
    assert found.images[1] is found.images[2]


SAME = [True, False, False, True, True]
IMAGES = [bytes(range(256)), b'\x80', b'\xff\xd8\0\n', b'same', b'same', b'\x01', b'\0\0', b'i', b'j', b'\xe9' * 300]
ISSAME = dict(
    list=list, tuple=tuple, bytes=bytes, bytearray=bytearray, objects=lambda same: np.array(same, object),
    column=lambda same: np.array(same)[:, None], strided=lambda same: np.array(same * 2)[:5],
    **{f'{kind} {form.__name__}': partial(lambda same, kind, form: form(np.array(same, kind)), kind=kind, form=form)
       for kind in ('bool', 'int64', 'uint8', '>i4', 'float32') for form in (list, np.asarray)})
PICTURES = dict(
    bytes=bytes, bytearray=bytearray, array=lambda image: np.frombuffer(image, np.uint8),  # which cannot be written to
    own=lambda image: np.array(list(image), np.uint8), column=lambda image: np.frombuffer(image, np.uint8)[:, None])


def objects(images):
    array = np.empty(len(images), object)
    array[:] = images
    return array


def dump(content, protocol, core):
    """A pickle with the names of numpy 1 (``numpy.core``) or 2 (``numpy._core``); Python's pickler asks for them."""
    real = pickle.whichmodule
    stream = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        patch.setattr(pickle, 'whichmodule', lambda value, name: real(value, name).replace('numpy._core', core))
        pickle._Pickler(stream, protocol).dump(content)
    other = {'numpy.core': b'numpy._core', 'numpy._core': b'numpy.core'}[core]
    assert other not in stream.getvalue()
    return stream.getvalue()


@pytest.mark.parametrize('core', ['numpy.core', 'numpy._core'])
@pytest.mark.parametrize('protocol', range(2, 6))
@pytest.mark.parametrize('spelling', ISSAME)
def test_a_set_is_the_same_however_it_is_spelled(tmp_path, spelling, protocol, core):
    for picture in PICTURES.values():
        for form in (list, tuple, objects):
            content = form([picture(image) for image in IMAGES]), ISSAME[spelling](SAME)
            (tmp_path / 'a.bin').write_bytes(dump(content, protocol, core))
            found = read_bin(tmp_path / 'a.bin')
            assert found.images == IMAGES and found.issame.dtype == bool and found.issame.tolist() == SAME


@pytest.mark.parametrize('protocol', range(2, 6))
def test_a_set_that_c_pickled_is_the_same(tmp_path, protocol):
    content = [np.frombuffer(image, np.uint8) for image in IMAGES], [np.bool_(same) for same in SAME]
    (tmp_path / 'a.bin').write_bytes(pickle.dumps(content, protocol))
    assert read_bin(tmp_path / 'a.bin').images == IMAGES and read_bin(tmp_path / 'a.bin').issame.tolist() == SAME


@pytest.mark.parametrize('name', ['python2_arrays', 'python2_strings'])
def test_bin_sets_that_python_2_wrote(name):
    """Of Python 2.7.18 and numpy 1.16.6: ``cPickle.dump((arrays, [True, False]), file, 2)``; ``pickle``, 0."""
    found = read_bin(Path(__file__).parents[1] / 'data' / 'bin' / f'{name}.bin')
    assert found.images == [b'\xff\xd8\0\n', b'\1', b'\xff\xd8\0\n', b''] and found.issame.tolist() == [True, False]


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


@pytest.mark.parametrize('content', [
    ([b'a'], [True]), ([b'a', 5], [True]), ([], []), 7, ([b'a', b'b'], [3]), ([b'a', b'b'], [np.arange(2)]), (5, 6),
    ([b'a', b'b'], [float('nan')]), ([b'a', 'b'], [True]), ([b'a', np.zeros((2, 2), np.uint8)], [True]),
    ([b'a', np.zeros(2, np.float32)], [True]), (np.array([b'a', b'b']), [True]), {b'a': b'b'}, ([b'a', b'b'], '1'),
    ([b'a', b'b'], b'1'), ([b'a', b'b'], [np.float16(0.5)]), ([b'a', b'b'], [np.datetime64(1, 's')]),
    ([b'a', b'b'], [np.complex64(1)]), ([b'a', b'b'], np.frombuffer(b'\2', bool)), ([b'a', b'b'], [np.str_('1')]),
    (b'ab', [True]), (bytearray(b'ab'), [True]), ([b'a', b'b'], np.array([[True, True]])), ([b'a', 1j], [True])])
def test_bad_bin_sets_are_refused(tmp_path, content):
    (tmp_path / 'a.bin').write_bytes(pickle.dumps(content))
    with pytest.raises(FormatError, match='a.bin'):
        read_bin(tmp_path / 'a.bin')


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('call', [(os.system, 'touch evil'), (eval, '1'), (getattr, 'a', 'upper'), (open, 'evil', 'w'),
                                  (partial, print), (np.fromfile, 'a.bin')],
                         ids=lambda call: call[0].__name__)
def test_a_bin_set_that_calls_anything_is_refused_by_name(tmp_path, monkeypatch, call, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.bin').write_bytes(pickle.dumps(([b'a', Call(*call)], [True]), protocol))
    with pytest.raises(FormatError, match=f'a.bin.*{call[0].__name__}.*refused'):
        read_bin(tmp_path / 'a.bin')
    assert not (tmp_path / 'evil').exists()


NDARRAY = b'cnumpy\nndarray\n'
HUGE = b'\x8a\x08' + (10**15).to_bytes(8, 'little')


@pytest.mark.parametrize('data', [
    b'\x80\x02}N' + b'\x85' * 500000 + b'Ns.',  # a tuple in a tuple in ...: hashing it overflows the stack
    b'\x80\x02Nr\xff\xff\xff\x7f.',  # memo of two thousand million places
    b'\x80\x05\x96' + (1 << 40).to_bytes(8, 'little') + b'.',  # room for a terabyte
    b'\x80\x02](' + NDARRAY + b'(' + HUGE + b'tU\x02u1\x86R' + NDARRAY + b'(' + HUGE + b'tU\x02u1\x86Re]\x88a\x86.',
    b'\x80\x02cnumpy.core.multiarray\n_reconstruct\n(' + NDARRAY + b'K\0U\x01btR(K\x01(' + HUGE
    + b'tcnumpy\ndtype\n(U\x02V0K\0K\x01tR\x89U\0tb2\x86.',  # as many items of no bytes
    b'\x80\x02c_codecs\nencode\n}X\x01\0\0\0aNs\x86b.',  # sets an attribute of a function
    b"\x80\x02c_codecs\nencode\n(X\x01\0\0\0aX\x05\0\0\0rot13tR.",
    b'\x80\x02c__builtin__\nbytearray\n' + HUGE + b'\x85R.',  # room for a petabyte
    b'\x80\x04](X' + (1 << 20).to_bytes(4, 'little') + b'a' * (1 << 20) + b'\x940c_codecs\nencode\n\x940'
    + b'h\1h\0\x85R' * 10**5 + b'e]\x86.',  # the same megabyte, a hundred thousand times
    b'\x80\x02c_codecs\nencode\n(X\x01\0\0\0a)' + b'q\0h\0\x86' * 10**4 + b'tR.'  # a message without end
], ids=map(str, itertools.count()))
def test_bin_sets_made_to_harm_are_refused(tmp_path, data):
    (tmp_path / 'a.bin').write_bytes(data)
    with pytest.raises(FormatError, match='a.bin'):
        read_bin(tmp_path / 'a.bin')


GLOBALS = [b'', b'cposix\nsystem\n', b'cbuiltins\neval\n', b'cbuiltins\nbytearray\n', b'c_codecs\ndecode\n',
           b'cnumpy.core.multiarray\nscalar\n', b'cnumpy\nload\n', b'\x8c\x05posix\x8c\x06system\x93',
           b'(cbuiltins\nexec\n', b'cnumpy.core.numeric\n_frombuffer\n', b'\x82\x01', b'\x97', b'\x98', b'Pid\n',
           b'\x81']


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(ISSAME)), st.sampled_from(sorted(PICTURES)), st.integers(0, 5), st.integers(0, 700),
       st.integers(0, 5), st.sampled_from(GLOBALS), st.binary(max_size=5))
def test_a_bin_set_with_any_damage_is_read_or_named(tmp_path_factory, same, picture, protocol, place, removed, name,
                                                    added):
    pictures = [PICTURES[picture](image) for image in IMAGES[1:5]]
    whole = pickle.dumps((pictures, ISSAME[same](SAME[:2])[:2]), protocol)
    path = tmp_path_factory.getbasetemp() / 'damaged.bin'
    place %= len(whole)
    path.write_bytes(whole[:place] + name + added + whole[place + removed:])
    ran = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pickle, '_getattribute', lambda *names: ran.append(names))  # how Python's unpickler finds names
        try:
            found = read_bin(path)
            assert all(isinstance(image, bytes) for image in found.images)
            assert len(found.images) == 2 * len(found.issame) and set(found.issame.tolist()) <= {False, True}
        except FormatError as error:
            assert 'damaged.bin' in str(error) and len(str(error)) < 2000
    assert not ran


@pytest.mark.parametrize('data', [b'', b'no pickle', b'\x80\x04'])
def test_what_is_no_pickle_is_named(tmp_path, data):
    (tmp_path / 'a.bin').write_bytes(data)
    with pytest.raises(FormatError, match='a.bin'):
        read_bin(tmp_path / 'a.bin')
