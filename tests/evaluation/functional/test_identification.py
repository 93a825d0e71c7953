"""1:N search: golden numbers, agreement with whole score matrices, any block, bad input."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from mlaface.evaluation.functional.coarse import rounding_error
from mlaface.evaluation.functional.distractors import evaluate_distractors
from mlaface.evaluation.functional.identification import find, mean_average_precision, open_set_scores
from mlaface.evaluation.functional.open_set import evaluate_open_set
from mlaface.evaluation.functional.retrieval import evaluate_retrieval
from mlaface.evaluation.functional.roc import det_points, roc_curve
from mlaface.evaluation.functional.rows import FusedRows, fuse
from mlaface.evaluation.functional.search import mate_scores, mate_table, scan_gallery


@pytest.fixture(scope='module')
def reference(golden_file):
    return np.load(golden_file('verification_golden.npz'))


def test_open_set_is_golden_for_each_gallery(reference):
    galleries = {name: (reference[f'id_gallery_{name}'], reference[f'id_gallery_{name}_subject']) for name in 'ab'}
    entry = evaluate_open_set(reference['id_probe'], reference['id_probe_subject'], galleries)
    for name in 'ab':
        metrics = entry['galleries'][name]
        np.testing.assert_allclose([row['value'] for row in metrics['rank'].values()], reference[f'id_{name}_rank'])
        rows = [[row['value'], row['any_rank'], row['threshold'], row['false_positives']]
                for row in metrics['tpir_at_fpir'].values()]
        np.testing.assert_allclose(rows, reference[f'id_{name}_tpir'], rtol=1e-9)
    ranks = (reference['id_a_rank'] + reference['id_b_rank']) / 2
    np.testing.assert_allclose([row['value'] for row in entry['metrics']['rank'].values()], ranks)


def test_retrieval_with_distractors_is_golden(reference):
    entry = evaluate_retrieval(reference['rank_probe'], reference['rank_probe_subject'], reference['rank_gallery'],
                               reference['rank_gallery_subject'])
    np.testing.assert_allclose([row['value'] for row in entry['metrics']['rank'].values()], reference['rank_hits'])
    assert entry['metrics']['map']['value'] == pytest.approx(float(reference['rank_map']), abs=1e-12)
    assert entry['counts'] == dict(probes=50, gallery=460, distractors=400)


def generated(seed, probes=40, gallery=90, dimension=8, subjects=12):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(probes, dimension)), rng.integers(0, subjects, probes),
            rng.normal(size=(gallery, dimension)), rng.integers(-1, subjects - 3, gallery))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def plain(probes, subjects, gallery, gallery_subjects):
    """Ranks, best other scores and average precisions from the whole score matrix."""
    scores = np.einsum('ij,kj->ik', unit(probes), unit(gallery))
    ranks, others, precision = [], [], []
    for row, subject in zip(scores, subjects):
        mate = gallery_subjects == subject
        others.append(row[~mate].max())
        ranks.append(1 + (row[~mate] >= row[mate].max()).sum() if mate.any() else 0)
        if mate.any():
            precision.append(average_precision_score(mate, row))
    return np.array(ranks), np.array(others), np.mean(precision)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 100))
def test_search_is_the_whole_matrix_for_any_block(seed, block):
    data = generated(seed)
    found = find(*data, block=block)
    ranks, others, precision = plain(*data)
    np.testing.assert_array_equal(found.ranks, ranks)
    np.testing.assert_allclose(found.best_other, others, atol=1e-14)
    assert mean_average_precision(found) == pytest.approx(precision, abs=1e-12)
    for ours, whole in zip(found, find(*data)):
        np.testing.assert_array_equal(ours, whole)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(['f2', 'f4']))
def test_order_of_gallery_and_probes_does_not_matter(seed, dtype):
    probes, subjects, gallery, gallery_subjects = generated(seed)
    probes, gallery = probes.astype(dtype), gallery.astype(dtype)
    rng = np.random.default_rng(seed)
    p, g = rng.permutation(len(probes)), rng.permutation(len(gallery))
    one = find(probes, subjects, gallery, gallery_subjects)
    two = find(probes[p], subjects[p], gallery[g], gallery_subjects[g], block=7)
    for first, second in zip(one, two):
        np.testing.assert_array_equal(first[p], second)


def test_scores_closer_than_float32_can_tell_are_ranked_exactly():
    step = 1e-9
    angles = np.array([0.5, 0.5 - step, 0.5 + step, 0.5 + 2 * step])
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    probes = np.array([[1.0, 0.0]])
    assert find(probes, [0], gallery, [0, 1, 2, 3]).ranks[0] == 2
    assert find(probes, [3], gallery, [0, 1, 2, 3]).ranks[0] == 4
    best = find(probes, [9], gallery, [0, 1, 2, 3]).best_other[0]
    assert best == pytest.approx(np.cos(0.5 - step), abs=1e-15)


def test_a_tie_counts_against_the_system():
    collapsed = np.ones((5, 4))
    entry = evaluate_retrieval(collapsed[:2], [0, 1], collapsed, [0, 1, 2, 3, -1])
    assert entry['metrics']['rank']['1']['value'] == 0
    assert entry['metrics']['rank']['5']['value'] == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 600), st.integers(0, 1000))
def test_bound_on_rounding_holds(dimension, seed):
    rng = np.random.default_rng(seed)
    first, second = unit(rng.normal(size=(50, dimension))), unit(rng.normal(size=(50, dimension)))
    coarse = np.diag(first.astype('f4') @ second.astype('f4').T)
    assert np.abs(coarse - np.einsum('ij,ij->i', first, second)).max() <= rounding_error(dimension)


def test_scan_takes_a_memory_map(tmp_path):
    probes, subjects, gallery, gallery_subjects = generated(5)
    np.save(tmp_path / 'gallery.npy', gallery.astype('f4'))
    mapped = np.load(tmp_path / 'gallery.npy', mmap_mode='r')
    from_map = find(probes, subjects, mapped, gallery_subjects, block=16)
    for ours, whole in zip(from_map, find(probes, subjects, gallery.astype('f4'), gallery_subjects)):
        np.testing.assert_array_equal(ours, whole)


def test_mate_table_lists_all_mates():
    table = mate_table(np.array([2, 7, 1]), np.array([1, 2, 2, 3, 2]))
    np.testing.assert_array_equal(table, [[1, 2, 4], [-1, -1, -1], [0, -1, -1]])
    scores = mate_scores(np.eye(3), np.eye(3)[[0, 0, 1, 2, 2]], table)
    np.testing.assert_array_equal(scores, [[1, 0, 0], [np.inf] * 3, [0, np.inf, np.inf]])


def test_distractor_search_is_the_plain_count():
    rng = np.random.default_rng(0)
    images, subjects, others = rng.normal(size=(20, 6)), np.arange(20) // 4, rng.normal(size=(70, 6))
    entry = evaluate_distractors(images, subjects, others, ranks=(1, 10), block=16)
    scores, rivals = unit(images) @ unit(images).T, unit(images) @ unit(others).T
    above = [(rivals[i] >= scores[i, j]).sum() for i in range(20) for j in range(20)
             if i != j and subjects[i] == subjects[j]]
    assert entry['counts'] == dict(images=20, searches=60, distractors=70)
    for rank in (1, 10):
        assert entry['metrics']['rank'][str(rank)]['value'] == pytest.approx(np.mean(np.array(above) < rank))


def test_distractor_search_refuses_lists_that_do_not_fit():
    rows = np.eye(4)
    for arguments, message in (((rows, [0, 0], rows), '4 embeddings, but 2'),
                               ((rows, [0, 1, 2, 3], rows), 'no subject'),
                               ((rows, [0, 0, 1, 1], np.eye(3)), '4 dimensions, the gallery 3')):
        with pytest.raises(ValueError, match=message):
            evaluate_distractors(*arguments)


def test_det_points_are_rates():
    found = find(*generated(1))
    points = det_points(roc_curve(*open_set_scores(found)))
    assert points['far'][-1] == 1 and points['miss'][-1] == 0
    assert (np.diff(points['far']) >= 0).all() and (np.diff(points['miss']) <= 0).all()


def test_subjects_may_be_strings():
    probes, subjects, gallery, gallery_subjects = generated(2)
    named = find(probes, [f's{s}' for s in subjects], gallery, [f's{s}' for s in gallery_subjects])
    np.testing.assert_array_equal(named.ranks, find(probes, subjects, gallery, gallery_subjects).ranks)


def test_a_probe_whose_subject_is_missing_is_named():
    probes, subjects, gallery, gallery_subjects = generated(3)
    with pytest.raises(ValueError, match=r'subject 99 of probe image 4 \(p4\) is not in the gallery'):
        subjects = np.where(np.arange(40) == 4, 99, 0)
        evaluate_retrieval(probes, subjects, gallery, gallery_subjects, names=[f'p{i}' for i in range(40)])


@pytest.mark.parametrize('change, message', [
    (lambda p, s, g, t: (p[:, :4], s, g, t), 'dimensions'),
    (lambda p, s, g, t: (p, s, g[0], t), 'gallery must be'),
    (lambda p, s, g, t: (p, s[:3], g, t), '40 embeddings, but 3 subjects'),
    (lambda p, s, g, t: (p, s, g[:3], t), '3 embeddings, but 90 subjects'),
    (lambda p, s, g, t: (p, s - s - 1, g, t), 'distractors'),
    (lambda p, s, g, t: (p * 0, s, g, t), 'probe of image 0.* is zero'),
    (lambda p, s, g, t: (p, s, g * np.nan, t), 'gallery entry of image'),
    (lambda p, s, g, t: (p, s.astype(str), g, t), 'can never be equal'),
])
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        find(*change(*generated(0)))


def test_open_set_needs_both_kinds_of_probes():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, 3))
    for subjects, message in (([0, 1, 0, 1], 'outside'), ([5, 6, 7, 8], 'in the gallery')):
        with pytest.raises(ValueError, match=message):
            evaluate_open_set(rows, subjects, dict(a=(rows[:2], [0, 1])))


def test_scan_refuses_another_dimension():
    with pytest.raises(ValueError, match='3 dimensions, the gallery 2'):
        scan_gallery(np.eye(3), np.zeros((3, 1)), np.eye(2), np.full((3, 1), -1))


@pytest.mark.parametrize('flip', ['none', 'sum', 'concat'])
def test_rows_fused_on_demand_are_those_fused_at_once(flip):
    rng = np.random.default_rng(0)
    embeddings, flipped = rng.normal(size=(2, 90, 8)).astype(np.float32)
    probes, subjects, _, gallery_subjects = generated(0, dimension=16 if flip == 'concat' else 8)
    lazy, whole = FusedRows(embeddings, flipped, flip), fuse(embeddings, flipped, flip)
    assert lazy.shape == whole.shape
    for ours, theirs in zip(find(probes, subjects, lazy, gallery_subjects, block=7),
                            find(probes, subjects, whole, gallery_subjects)):
        np.testing.assert_array_equal(ours, theirs)
