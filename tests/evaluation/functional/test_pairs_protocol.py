"""Pairs protocol: golden numbers, scikit-learn, properties and bad input."""
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from mlaface.evaluation.functional import pairs
from mlaface.evaluation.functional.pairs import PairRules, evaluate_pairs, pair_scores, roc_points


@pytest.fixture(scope='module')
def golden_pairs(golden_file):
    return np.load(golden_file('verification_golden.npz'))


@pytest.fixture(scope='module')
def public(golden_pairs):
    return evaluate_pairs(golden_pairs['pairs_embeddings'], golden_pairs['pairs_issame'],
                          flipped=golden_pairs['pairs_flipped'], rules=PairRules(compat='insightface'))['metrics']


def generated(pairs_count=60, dimension=16, seed=0):
    """Embeddings of pairs that are told apart with errors, and their labels."""
    rng = np.random.default_rng(seed)
    issame = np.arange(pairs_count) % 2 == 0
    first = rng.normal(size=(pairs_count, dimension))
    second = rng.normal(size=(pairs_count, dimension)) + first * issame[:, None] * 0.8
    return np.stack([first, second], axis=1).reshape(2 * pairs_count, dimension), issame


def test_ten_folds_are_the_public_routine(golden_pairs, public):
    np.testing.assert_allclose(public['accuracy']['folds'], golden_pairs['pairs_public_accuracy_folds'], rtol=1e-15)
    assert public['accuracy']['value'] == pytest.approx(float(golden_pairs['pairs_public_accuracy']), abs=1e-15)
    assert public['accuracy']['std'] == pytest.approx(float(golden_pairs['pairs_public_std']), abs=1e-15)
    distances = 2 - 2 * np.array(public['threshold']['folds'])
    np.testing.assert_allclose(distances, golden_pairs['pairs_public_thresholds'], atol=1e-14)


def test_compat_adds_the_interpolated_tar(golden_pairs, public):
    val = public['val']
    expected = [float(golden_pairs[f'pairs_compat_{key}']) for key in ('val', 'val_std', 'far')]
    np.testing.assert_allclose([val['value'], val['std'], val['far']], expected, atol=1e-15)


def test_cosines_are_the_golden_ones(golden_pairs):
    scores = pair_scores(golden_pairs['pairs_embeddings'], flipped=golden_pairs['pairs_flipped'])
    np.testing.assert_allclose(scores.cosine, golden_pairs['pairs_cosine'], atol=1e-12)


@pytest.mark.parametrize('rule', ['strict', 'nearest'])
def test_tar_at_far_is_golden_by_both_rules(golden_pairs, rule):
    table = evaluate_pairs(golden_pairs['pairs_embeddings'], golden_pairs['pairs_issame'],
                           flipped=golden_pairs['pairs_flipped'], rules=PairRules(far_rule=rule))
    table = table['metrics']['tar_at_far']
    assert list(table) == ['1e-1', '1e-2', '1e-3', '1e-4']
    if rule == 'nearest':
        np.testing.assert_allclose([row['value'] for row in table.values()], golden_pairs['pairs_nearest_tar'])
    else:
        rows = [[row['value'], row['threshold'], row['false_accepts']] for row in table.values()]
        np.testing.assert_allclose(rows, golden_pairs['pairs_strict'], rtol=1e-9)


def test_auc_and_eer_are_golden(golden_pairs, public):
    assert public['auc']['value'] == pytest.approx(float(golden_pairs['pairs_auc']), abs=1e-12)
    assert public['eer']['value'] == pytest.approx(float(golden_pairs['pairs_eer']), abs=1e-12)


def test_entry_is_plain_json_and_states_its_rules():
    embeddings, issame = generated()
    entry = evaluate_pairs(embeddings.astype(np.float32), issame, flipped=embeddings.astype(np.float32))
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    assert entry['protocol'] == 'pairs' and entry['counts'] == dict(images=120, pairs=60, positives=30)
    assert entry['rules'] == dict(flip='sum', norm='l2', distance='squared_l2', folds=10, far_rule='strict',
                                  compat=None)


def test_rules_say_none_where_no_flipped_embeddings_were_given():
    embeddings, issame = generated()
    assert evaluate_pairs(embeddings, issame)['rules']['flip'] == 'none'
    plain = evaluate_pairs(embeddings, issame, flipped=-embeddings[::-1], rules=PairRules(flip='none'))
    assert plain == evaluate_pairs(embeddings, issame)


def plain_accuracy(distance, issame, folds):
    """The ten-fold routine written out threshold by threshold."""
    accuracy = []
    for train, test in KFold(folds).split(distance):
        correct = [np.mean((distance[train] < t) == issame[train]) for t in np.arange(0, 4, 0.01)]
        threshold = np.arange(0, 4, 0.01)[int(np.argmax(correct))]
        accuracy.append(np.mean((distance[test] < threshold) == issame[test]))
    return accuracy


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 70), st.integers(2, 5))
def test_folds_agree_with_the_plain_loop(seed, count, folds):
    embeddings, issame = generated(count, 6, seed)
    entry = evaluate_pairs(embeddings, issame, rules=PairRules(folds=folds))
    distance = pair_scores(embeddings, rules=PairRules(flip='none')).distance
    np.testing.assert_allclose(entry['metrics']['accuracy']['folds'], plain_accuracy(distance, issame, folds))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200), st.sampled_from([np.float16, np.float32, np.float64]),
       st.sampled_from(['sum', 'concat', 'none']))
def test_scores_are_the_same_for_any_block_and_any_company(block, dtype, flip):
    embeddings, _ = generated(90)
    embeddings, flipped = embeddings.astype(dtype), embeddings[::-1].astype(dtype)
    rules = PairRules(flip=flip)
    whole = pair_scores(embeddings, flipped=flipped, rules=rules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, '_BLOCK', block)
        parts = pair_scores(embeddings, flipped=flipped, rules=rules)
    np.testing.assert_array_equal(whole.cosine, parts.cosine)
    np.testing.assert_array_equal(whole.distance, parts.distance)


def test_swapping_the_two_images_of_every_pair_changes_nothing():
    embeddings, issame = generated()
    swapped = embeddings.reshape(-1, 2, 16)[:, ::-1].reshape(-1, 16)
    assert evaluate_pairs(swapped, issame) == evaluate_pairs(embeddings, issame)


def test_auc_is_that_of_scikit_learn():
    embeddings, issame = generated(200)
    cosine = pair_scores(embeddings, rules=PairRules(flip='none')).cosine
    ours = evaluate_pairs(embeddings, issame)['metrics']['auc']['value']
    assert ours == pytest.approx(roc_auc_score(issame, cosine), abs=1e-12)


def test_cosine_distance_is_the_same_ruler_with_another_scale():
    embeddings, issame = generated()
    by_cosine = evaluate_pairs(embeddings, issame, rules=PairRules(distance='cosine'))['metrics']
    by_distance = evaluate_pairs(embeddings, issame)['metrics']
    assert by_cosine['accuracy']['folds'] == by_distance['accuracy']['folds']
    assert by_cosine['threshold']['value'] == pytest.approx(by_distance['threshold']['value'], abs=1e-12)


def test_roc_points_end_in_the_corner():
    points = roc_points([0.9, 0.8, 0.3, 0.1], [True, True, False, False])
    assert points['far'][-1] == 1 and points['tar'][-1] == 1
    np.testing.assert_allclose(points['miss'], 1 - points['tar'])


@pytest.mark.parametrize('value, word', [(np.nan, 'not finite'), (np.inf, 'not finite'), (0.0, 'zero')])
def test_an_unusable_embedding_is_named(value, word):
    embeddings, issame = generated()
    embeddings[77] = value
    names = [f'faces/{number}.jpg' for number in range(120)]
    with pytest.raises(ValueError, match=rf'image 77 \(faces/77\.jpg\) is {word}'):
        evaluate_pairs(embeddings, issame, names=names)
    with pytest.raises(ValueError, match='image 77 '):
        evaluate_pairs(embeddings, issame)


def test_scores_of_an_odd_number_of_images_are_refused():
    with pytest.raises(ValueError, match='odd number'):
        pair_scores(generated()[0][:-1])


def test_embeddings_that_cancel_their_mirror_image_are_named():
    embeddings, issame = generated()
    flipped = embeddings.copy()
    flipped[5] = -embeddings[5]
    with pytest.raises(ValueError, match='image 5 is zero'):
        evaluate_pairs(embeddings, issame, flipped=flipped)


@pytest.mark.parametrize('change, message', [
    (lambda e, s: (e[:-1], s), 'odd number of images'),
    (lambda e, s: (e[:-2], s), '60 pairs, but there are 59'),
    (lambda e, s: (e, np.ones(60, bool)), 'no different pairs'),
    (lambda e, s: (e, np.sort(s)), 'fold 0 .* no same pairs'),
    (lambda e, s: (e[:24], s[:12]), 'too few for 10 folds'),
    (lambda e, s: (e, s + 1), '0 and 1'),
    (lambda e, s: (e.astype(int), s), 'float16, float32 or float64'),
    (lambda e, s: (e[:, :0], s), 'above zero'),
    (lambda e, s: (e[0], s), 'shape'),
])
def test_bad_lists_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate_pairs(*change(*generated()))


def test_mirror_embeddings_of_another_shape_are_refused():
    embeddings, issame = generated()
    with pytest.raises(ValueError, match='mirrored'):
        evaluate_pairs(embeddings, issame, flipped=embeddings[:, :8])
    with pytest.raises(ValueError, match='unit length'):
        evaluate_pairs(embeddings, issame, rules=PairRules(norm='none'))


@pytest.mark.parametrize('arguments', [dict(flip='mean'), dict(folds=1), dict(far_rule='closest'), dict(compat='lfw')])
def test_unknown_rules_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        PairRules(**arguments)
