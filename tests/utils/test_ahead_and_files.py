"""Work ahead in threads, files that are whole or absent, and the texts and values that others wrote."""
import math
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.utils import files
from mlaface.utils.ahead import map_ahead
from mlaface.utils.cache import cache_folder
from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path, is_state_dict, sweep, temporary_folder
from mlaface.utils.literals import read_literal
from mlaface.utils.sharding import split_rows
from mlaface.utils.texts import parse_json, read_json, read_text


@settings(max_examples=30)
@given(st.lists(st.integers(), max_size=30), st.integers(0, 4), st.none() | st.integers(0, 5))
def test_results_come_in_the_order_of_the_items(items, workers, depth):
    assert list(map_ahead(lambda x: 2 * x, items, workers, depth)) == [2 * item for item in items]


@pytest.mark.parametrize('workers, depth, most', [(0, None, 1), (1, None, 2), (2, None, 3), (2, 5, 6), (3, 0, 1)])
def test_no_more_is_taken_ahead_than_was_said(workers, depth, most):
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number
    for got, result in enumerate(map_ahead(lambda x: x, items(), workers, depth)):
        assert result == got and len(taken) <= got + most


def test_an_error_comes_in_its_turn_and_nothing_is_begun_after_it():
    begun = []

    def work(item):
        begun.append(item)
        if item == 2:
            raise OSError('torn')
        return item
    found = []
    with pytest.raises(OSError, match='torn'):
        for result in map_ahead(work, iter(range(100)), 2):
            found.append(result)
    assert found == [0, 1] and max(begun) < 6


def test_who_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    results = map_ahead(lambda x: x, range(100), 3)
    assert next(results) == 0
    results.close()
    assert threading.active_count() == before


def test_a_file_is_the_old_one_until_it_is_whole(tmp_path):
    path = tmp_path / 'deep' / 'file.txt'
    with atomic_path(path) as temporary:
        temporary.write_text('first')
        assert not path.exists() and temporary.parent == path.parent
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text('half')
        raise KeyboardInterrupt
    assert path.read_text() == 'first' and os.listdir(path.parent) == ['file.txt']


@pytest.mark.parametrize('mask, expected', [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_rights_of_any_other(mask, expected, tmp_path):
    before = os.umask(mask)
    try:
        with atomic_path(tmp_path / 'a') as temporary:
            temporary.write_text('x')
        assert os.umask(mask) == mask, 'the mask stays as it was'
    finally:
        os.umask(before)
    assert (tmp_path / 'a').stat().st_mode & 0o777 == expected


@pytest.mark.parametrize('variables, expected', [
    (dict(MLAFACE_CACHE='{0}/own', XDG_CACHE_HOME='{0}/xdg'), 'own/zoo/a'),
    (dict(MLAFACE_CACHE='', XDG_CACHE_HOME='{0}/xdg'), 'xdg/mlaface/zoo/a'),
    (dict(MLAFACE_CACHE='', XDG_CACHE_HOME='', HOME='{0}/home'), 'home/.cache/mlaface/zoo/a')])
def test_the_cache_is_where_the_user_says(variables, expected, tmp_path, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert cache_folder('zoo', 'a') == tmp_path / expected and (tmp_path / expected).is_dir()


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
                      lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(
                          st.text(max_size=5), inner, max_size=3), max_leaves=9)


@settings(max_examples=30)
@given(VALUES)
def test_what_python_writes_is_read(value):
    assert read_literal(repr(value)) == value


@pytest.mark.parametrize('text, value', [
    ('dict(a=1, b=dict(c=(2,)))', dict(a=1, b=dict(c=(2,)))), ("dict({'a.b': 1}, c=2)", {'a.b': 1, 'c': 2}),
    ('dict()', {}), ('-inf', -math.inf), (' [1, -2.5e3, None]\n', [1, -2500.0, None])])
def test_a_dict_may_be_called(text, value):
    assert read_literal(text) == value


@pytest.mark.parametrize('text', ['open("x")', '__import__("os")', 'dict(**{})', 'dict([1])', 'name', 'a.b',
                                  '1 if x else 2', '{**{}}', 'dict(a=print(1))', '[x for x in ()]', '{[]: 1}',
                                  'f"{1}"', 'lambda: 1'])
def test_code_is_refused_and_not_run(text, capsys):
    with pytest.raises((ValueError, SyntaxError)):
        read_literal(text)
    assert capsys.readouterr().out == ''


@given(st.integers(0, 200), st.integers(1, 9), st.integers(1, 4))
def test_ranks_hold_every_row_once_and_tear_no_class(classes, world, per_class):
    shards = [split_rows(classes, rank, world, per_class) for rank in range(world)]
    assert [row for shard in shards for row in range(shard.start, shard.stop)] == list(range(classes * per_class))
    assert max(shard.rows for shard in shards) - min(shard.rows for shard in shards) in (0, per_class)
    assert all(shard.start % per_class == shard.stop % per_class == 0 and shard.total == classes * per_class
               for shard in shards)


def test_text_and_json_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xef\xbb\xbfa\n')
    assert read_text(path) == 'a\n', 'a byte order mark is no part of the first name'
    path.write_bytes(b'\xff\xd8\xff')
    with pytest.raises(InputError, match='list.txt is no UTF-8 text.*not an archive'):
        read_text(path)
    for text in ('{', '', '[' * 100_000, '{"a": 1,}'):
        with pytest.raises(InputError, match='answer is not JSON'):
            parse_json(text, 'answer')
    path.write_text('{"a": [1]}')
    assert read_json(path) == dict(a=[1])
    with pytest.raises(FileNotFoundError):
        read_json(Path(tmp_path, 'none'))


def test_a_state_dict_is_names_with_tensors_alone():
    import torch
    tensor = torch.zeros(1)
    assert is_state_dict(dict(a=tensor))
    assert not any(map(is_state_dict, ({}, dict(a=tensor, epoch=3), [tensor], dict(state_dict=dict(a=tensor)))))


def test_what_killed_processes_left_is_swept_and_what_is_held_stays(tmp_path):
    (tmp_path / '.a.0123abc_.part').write_bytes(b'left')
    (tmp_path / '.a.4567abcd.part').mkdir()
    (tmp_path / '.a.4567abcd.part' / 'b').write_bytes(b'left')
    (tmp_path / '.[b].89abcdef.part').write_bytes(b'left')
    mine = {tmp_path / name for name in ('mine.part', '.mine.zip.part')}
    for each in mine:
        each.write_bytes(b'')
    with atomic_path(tmp_path / 'a') as file, temporary_folder(tmp_path, 'a') as folder:
        file.write_bytes(b'new')
        sweep(tmp_path, '[b]')
        assert len(list(tmp_path.iterdir())) == 6
        sweep(tmp_path)
        assert {*tmp_path.iterdir()} == {file, folder, *mine}
    assert {*tmp_path.iterdir()} == {tmp_path / 'a', *mine}
    sweep(tmp_path / 'nowhere')


def test_a_temporary_file_that_another_sweeps_before_it_is_held_is_made_again(tmp_path, monkeypatch):
    real, made = files._hold, []

    def late(handle, force=False):
        if not force and not made:
            made.append(handle)
            files.sweep(tmp_path)
        real(handle, force)
    monkeypatch.setattr(files, '_hold', late)
    with files.atomic_path(tmp_path / 'a') as temporary:
        temporary.write_text('whole')
    assert made and (tmp_path / 'a').read_text() == 'whole' and os.listdir(tmp_path) == ['a']
    made.clear()
    with files.temporary_folder(tmp_path, 'b') as work:
        assert made and work.is_dir()
