"""Embeddings in ``.npz`` files: what is saved is evaluated to the same numbers, what is damaged or foreign is named."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.evaluation.embeddings.saved import by_group, embeddings_suite, read_arrays, save_embeddings
from mlaface.evaluation.evaluate import evaluate
from mlaface.evaluation.suite import Suite
from tests.damage import check_refusals, damaged_copies

PAIRS, SIZE = 40, 6


def arrays(seed=0, **more):
    draw = np.random.default_rng(seed)
    embeddings = draw.standard_normal((2 * PAIRS, SIZE)).astype(np.float32)
    issame = np.arange(PAIRS) % 2 == 0
    embeddings[1::2][issame] += 2 * embeddings[::2][issame]
    return dict(dict(embeddings=embeddings, issame=issame), **more)


def numbers(path):
    found = evaluate(None, embeddings_suite(path), bootstrap=5).result['benchmarks']
    for entry in found.values():
        entry.pop('seconds', None)
    return found


SUBJECTS = np.arange(2 * PAIRS).reshape(PAIRS, 2) % 7
OPTIONAL = dict(flipped=arrays(1)['embeddings'], names=np.array([f'ä/{k}.jpg' for k in range(2 * PAIRS)]),
                subjects=SUBJECTS, groups=np.array(['x', 'y'])[np.arange(PAIRS) // 20])


@settings(max_examples=12)
@given(st.sets(st.sampled_from(sorted(OPTIONAL))), st.sampled_from(['f2', 'f4', 'f8']),
       st.sampled_from(['?', 'i8', 'u1']), st.booleans())
def test_what_is_saved_again_gives_the_same_numbers(tmp_path_factory, optional, kind, labels, compressed):
    folder = tmp_path_factory.mktemp('saved')
    content = arrays(**{key: OPTIONAL[key] for key in optional})
    content.update(embeddings=content['embeddings'].astype(kind), issame=content['issame'].astype(labels))
    if 'flipped' in content:
        content['flipped'] = content['flipped'].astype(kind)
    (np.savez_compressed if compressed else np.savez)(folder / 'a.npz', **content)
    first = evaluate(None, embeddings_suite(folder / 'a.npz'))
    (folder / 'again').mkdir()
    save_embeddings(first, folder / 'again' / 'a.npz')
    again = read_arrays(folder / 'again' / 'a.npz')
    assert set(again) == set(content) and again['embeddings'].dtype == content['embeddings'].dtype
    for key, values in content.items():
        np.testing.assert_array_equal(again[key], values)
    assert numbers(folder / 'again' / 'a.npz') == numbers(folder / 'a.npz')


def test_a_damaged_archive_is_read_or_named(tmp_path):
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / 'a.npz', **{key: values[:4] for key, values in arrays(names=OPTIONAL['names']).items()})
        copies = damaged_copies((tmp_path / 'a.npz').read_bytes(), 400, cuts=100)
        assert check_refusals(tmp_path / 'a.npz', copies, read_arrays,
                              lambda found: [array.shape for array in found.values()]) < len(copies)


@pytest.mark.parametrize('name', ['embeddings', 'issame', 'flipped', 'names', 'subjects', 'groups'])
@pytest.mark.parametrize('value', [np.float32(3), np.array('a'), np.ones((2, 2, 2)), np.empty((0, 0, 0))])
def test_an_array_of_other_dimensions_is_named(tmp_path, name, value):
    np.savez(tmp_path / 'a.npz', **arrays(**{name: value}))
    with pytest.raises(ValueError, match=rf'a.npz: {name} has the shape .* dimensions'):
        embeddings_suite(tmp_path / 'a.npz')


@pytest.mark.parametrize('name, value', [
    ('groups', np.array(['a'] * 3)), ('subjects', np.arange(3)), ('names', np.array(['a'])),
    ('flipped', np.ones((1, 1))),
    ('issame', np.array(['a'] * PAIRS)), ('issame', np.full(PAIRS, 2)),
    ('embeddings', np.ones((2 * PAIRS, 4), complex)),
    ('embeddings', np.zeros((2 * PAIRS, 4))), ('embeddings', np.full((2 * PAIRS, 4), np.nan))])
@pytest.mark.parametrize('grouped', [False, True])
def test_arrays_that_do_not_fit_are_refused(tmp_path, name, value, grouped):
    content = arrays(**(dict(groups=OPTIONAL['groups']) if grouped else {}))
    np.savez(tmp_path / 'a.npz', **{**content, name: value})
    with pytest.raises(ValueError, match=f'{name}|embedding of image|mirrored images') as error:
        evaluate(None, embeddings_suite(tmp_path / 'a.npz'), bootstrap=2)
    assert '\n' not in str(error.value)


def test_files_of_another_kind_are_named(tmp_path):
    np.save(tmp_path / 'a.npy', np.ones((4, 4)))
    with pytest.raises(ValueError, match='a.npy cannot be read as an .npz archive .*: it is a single array'):
        read_arrays(tmp_path / 'a.npy')
    np.savez(tmp_path / 'a.npz', embeddings=np.array([1, None], object))
    with pytest.raises(ValueError, match='a.npz cannot be read'):
        read_arrays(tmp_path / 'a.npz')
    import zipfile
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as archive:
        archive.writestr('readme.txt', 'hello')
    with pytest.raises(ValueError, match='readme.txt is no array'):
        read_arrays(tmp_path / 'a.npz')


@settings(max_examples=30)
@given(st.lists(st.sampled_from('abc'), min_size=1, max_size=12))
def test_groups_part_the_pairs_and_keep_their_order(groups):
    entry = dict(protocol='pairs', start=0, images=2 * len(groups), issame=np.arange(len(groups)),
                 names=[f'{k}' for k in range(2 * len(groups))], subjects=np.arange(len(groups)))
    found, rows = by_group(entry, groups)
    assert sorted(rows) == list(range(2 * len(groups))) and found['names'] == [str(row) for row in rows]
    for name, group in found['groups'].items():
        own = [pair for pair, group_name in enumerate(groups) if group_name == name]
        part = rows[group['start']:group['start'] + group['images']]
        assert group['issame'].tolist() == group['subjects'].tolist() == own
        assert part.tolist() == [row for pair in own for row in (2 * pair, 2 * pair + 1)]


def test_a_suite_of_several_benchmarks_is_not_saved():
    from mlaface.evaluation.embeddings.saved import check_savable
    entry = dict(protocol='pairs', start=0, images=2, issame=[True])
    with pytest.raises(ValueError, match='one pairs benchmark, and a, b are to be evaluated'):
        check_savable(Suite(None, dict(a=entry, b=entry)))
