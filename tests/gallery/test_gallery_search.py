"""Search is exact: the same people in the same order as a float64 product with everybody."""
import numpy as np
import pytest

from mlaface.gallery import Enrolment, Gallery
from mlaface.gallery.finder import Finder
from mlaface.gallery.search import index as index_module
from mlaface.gallery.search import rows as rows_module
from mlaface.gallery.search.rows import CompressedRows, Probes, WholeRows
from tests.gallery.people import MODEL, SIZE

needs_numkong = pytest.mark.skipif(not rows_module.can_compress(), reason='numkong is not installed')
KINDS = [False, pytest.param(True, marks=needs_numkong)]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def odd_rows(rng, count, size=SIZE):
    """Rows as faces have them, and rows that compress badly: one large number, few numbers, equal ones, doubles."""
    rows = rng.standard_normal((count, size))
    rows[::7] *= rng.random((len(rows[::7]), size)) < 0.05
    rows[::11, -1] += 50
    rows[::13] = np.sign(rows[::13])
    rows[5::10] = rows[4::10][:len(rows[5::10])]
    rows[~rows.any(1), 0] = 1
    return unit(rows).astype(np.float32)


@pytest.fixture(params=KINDS, ids=['whole', 'compressed'])
def small_segments(request, monkeypatch):
    monkeypatch.setattr(index_module, 'SEGMENT', 64)
    monkeypatch.setattr('mlaface.gallery.gallery.Finder', lambda engine, coding: Finder(engine, coding, request.param))
    return request.param


def brute(rows, people, probe, score):
    """People with their scores and images, the best first, plainly."""
    cosines = unit(rows.astype(np.float64)) @ (probe.astype(np.float64) / np.linalg.norm(probe.astype(np.float64)))
    found = []
    for person in np.unique(people):
        mine, = np.nonzero(people == person)
        best = mine[np.argmax(cosines[mine].round(12))]
        found.append((cosines[mine].mean() if score == 'mean' else cosines[best], best, person))
    return sorted(found, key=lambda entry: (-round(entry[0], 12), entry[1]))


@pytest.mark.parametrize('score', ['best', 'mean'])
@pytest.mark.parametrize('seed', range(3))
def test_ranks_are_those_of_a_plain_product(local, small_segments, seed, score):
    rng = np.random.default_rng(seed)
    rows, people = odd_rows(rng, 400), rng.integers(0, 150, 400)
    local.enroll_all([Enrolment(str(person), row) for person, row in zip(people, rows)])
    probes = np.concatenate([rng.standard_normal((17, SIZE)), rows[1:400:80]])
    rows = np.stack([image.embedding for _, image in local.enrolments()])  # in float32, as they are kept
    plain = [brute(rows, people, probe, score) for probe in probes]
    for k, threshold in ((1, None), (5, None), (400, None), (9, 0.3)):
        for whole, matches in zip(plain, local.identify(probes, k, threshold, score), strict=True):
            wanted = [entry for entry in whole[:k] if entry[0] >= (threshold or -1)]
            assert [match.name for match in matches] == [str(person) for _, _, person in wanted]
            assert [match.image - 1 for match in matches] == [image for _, image, _ in wanted]
            assert np.allclose([match.cosine for match in matches], [score for score, _, _ in wanted], atol=1e-7)


def test_one_probe_and_many_give_the_same_numbers(local, small_segments):
    rng = np.random.default_rng(0)
    local.enroll_all([Enrolment(str(number), row) for number, row in enumerate(odd_rows(rng, 300))])
    probes = odd_rows(rng, 40)
    assert local.identify(probes) == [local.identify(probe)[0] for probe in probes]


def test_equal_scores_stand_in_the_order_of_enrolment(local, small_segments):
    row = odd_rows(np.random.default_rng(0), 1)[0]
    local.enroll_all([Enrolment(f'p{number}', row) for number in (9, 3, 7, 1)] * 40)
    assert [match.name for match in local.identify(row, k=3)[0]] == ['p9', 'p3', 'p7']


def test_deleted_people_are_not_found_in_any_segment(local, small_segments):
    rng = np.random.default_rng(1)
    rows = odd_rows(rng, 300)
    local.enroll_all([Enrolment(f'p{number % 100}', row) for number, row in enumerate(rows)])
    assert len(local.identify(rows[0], k=200)[0]) == 100
    gone = {f'p{number}' for number in range(0, 100, 3)}
    for name in gone:
        local.delete(name)
    local.enroll('new', rows[0])
    found = {match.name for match in local.identify(rows[0], k=200)[0]}
    assert found == {f'p{number}' for number in range(100)} - gone | {'new'}


@needs_numkong
@pytest.mark.parametrize('size', [3, 64, 512, 1000])
def test_no_cosine_is_outside_of_its_bounds(size):
    rng = np.random.default_rng(size)
    rows, probes = odd_rows(rng, 500, size), odd_rows(rng, 16, size)
    whole = WholeRows(size, 500)
    whole.add(np.arange(500), np.arange(500), rows)
    cosines = unit(probes.astype(np.float64)) @ unit(rows.astype(np.float64)).T
    for given in (probes, probes[:1]):
        for kept in (whole, CompressedRows(whole)):
            coded, highest = Probes.of(given), np.empty((len(given), 500), np.float32)
            kept.write_highest(coded, highest)
            errors = np.stack([kept.errors(coded, number, np.arange(500)) for number in range(len(given))])
            assert (highest >= cosines[:len(given)]).all() and (highest - 2 * errors <= cosines[:len(given)]).all()
            assert kept is whole or np.median(errors) < 0.05


@needs_numkong
def test_full_segments_are_compressed_to_a_quarter(local, small_segments):
    rng = np.random.default_rng(2)
    local.enroll_all([Enrolment(str(number), row) for number, row in enumerate(odd_rows(rng, 200))])
    local.identify(odd_rows(rng, 1))
    kinds = [type(segment) for segment in local._finder.index.segments]
    assert kinds == [CompressedRows if small_segments else WholeRows] * 3 + [WholeRows]


def test_without_the_package_for_products_of_integers_rows_stay_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, 'can_compress', lambda: False)
    monkeypatch.setattr(index_module, 'SEGMENT', 64)
    with Gallery.open(tmp_path / 'g', MODEL, create=True) as gallery:
        rows = odd_rows(np.random.default_rng(0), 100)
        gallery.enroll_all([Enrolment(str(number), row) for number, row in enumerate(rows)])
        assert gallery.identify(rows[99])[0][0].name == '99'
        assert {type(segment) for segment in gallery._finder.index.segments} == {WholeRows}
