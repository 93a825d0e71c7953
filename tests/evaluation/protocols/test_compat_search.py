"""1:N by the rules of the public codes, against plain writings of what those codes compute."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.evaluation.evaluate import evaluate
from mlaface.evaluation.functional import joined
from mlaface.evaluation.functional.distractors import replace_noise
from mlaface.evaluation.functional.identification import find, mean_average_precision
from mlaface.evaluation.networks.function import CallableNetwork
from mlaface.evaluation.protocols.ijb_search import Identification
from mlaface.evaluation.protocols.megaface import MegaFace
from mlaface.evaluation.protocols.registered import open_protocol
from mlaface.evaluation.protocols.tinyface import TinyFace
from mlaface.evaluation.search.faiss_scan import scan_by_faiss

NETWORK = CallableNetwork('toy_networks:grid')


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def templates(seed, probes=70, subjects=25, noise=0.8):
    """Probe templates of subjects with one gallery template each, in two galleries."""
    rng = np.random.default_rng(seed)
    centres, people = rng.normal(size=(subjects, 12)), rng.integers(0, subjects, probes)
    rows = centres[people] + noise * rng.normal(size=(probes, 12))
    return rows, people, dict(G1=(centres[:10], np.arange(10)), G2=(centres[10:], np.arange(10, subjects)))


def by_script(probes, people, galleries, rates=(0.01, 0.1)):
    """Ranks and accepted shares from the whole matrix, all scores of others sorted."""
    gallery = np.concatenate([rows for rows, _ in galleries.values()])
    scores = unit(probes) @ unit(gallery).T
    order, everyone = np.argsort(-scores, axis=1), np.arange(len(probes))
    ranks = [np.mean((order[:, :k] == people[:, None]).any(1)) for k in (1, 5, 10)]
    own = scores[everyone, people]
    scores[everyone, people] = -np.inf
    others = np.sort(scores.ravel())[::-1]
    return ranks, [np.mean(own > others[math.ceil(len(probes) * rate) - 1]) for rate in rates]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.8, 3.0]), st.sampled_from([None, 4, 16]))
def test_joined_galleries_are_the_plain_script(seed, noise, block):
    data = templates(seed, noise=noise)
    found = joined.search(*data, block=block)
    metrics, (ranks, accepted) = joined.metrics(found)['metrics'], by_script(*data)
    np.testing.assert_allclose([row['value'] for row in metrics['rank'].values()], ranks)
    np.testing.assert_allclose([row['value'] for row in metrics['tpir_at_fpir'].values()], accepted)
    assert joined.search(*data, scan=scan_by_faiss).thresholds == found.thresholds


def test_joined_galleries_need_one_mate():
    probes, people, galleries = templates(0)
    with pytest.raises(ValueError, match='subject 99 of probe image 3 .*has 0 templates in all galleries'):
        joined.search(probes, np.where(np.arange(70) == 3, 99, people), galleries)
    with pytest.raises(ValueError, match='has 2 templates in all galleries'):
        joined.search(probes, people, dict(galleries, G3=galleries['G1']))


def oxford_precision(order, good):
    """Average precision by trapezoids, walked through place by place."""
    recall, precision, hits, total = 0.0, 1.0, 0, 0.0
    for place, entry in enumerate(order, 1):
        hits += entry in good
        total += (hits / len(good) - recall) * (precision + hits / place) / 2
        recall, precision = hits / len(good), hits / place
    return total


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_trapezoids_are_the_walk_through_the_ranking(seed):
    rng = np.random.default_rng(seed)
    probes, gallery = rng.normal(size=(12, 5)), rng.normal(size=(60, 5))
    people, known = rng.integers(0, 6, 12), np.concatenate([np.arange(6), rng.integers(-1, 6, 54)])
    found = find(probes, people, gallery, known)
    orders = np.argsort(-(unit(probes) @ unit(gallery).T), axis=1)
    plain = [oxford_precision(order, set(np.flatnonzero(known == person))) for order, person in zip(orders, people)]
    assert mean_average_precision(found, rule='trapezoid') == pytest.approx(np.mean(plain), abs=1e-12)
    order = rng.permutation(12)
    shuffled = find(probes[order], people[order], gallery, known)
    for rule in ('step', 'trapezoid'):
        assert mean_average_precision(found, rule=rule) == mean_average_precision(shuffled, rule=rule)


def test_noise_is_replaced_by_the_clean_images_of_its_person():
    rows = np.array([[2.0, 0], [0, 3], [5, 5], [1, 0]])
    replaced = replace_noise(rows, ['a', 'a', 'a', 'b'], np.array([False, False, True, False]))
    np.testing.assert_allclose(replaced, [[1, 0], [0, 1], [1, 1], [1, 0]])
    with pytest.raises(ValueError, match=r'image 3 \(b1\) and all other images of its person'):
        replace_noise(rows, ['a', 'a', 'a', 'b'], np.array([False, False, True, True]), ['a1', 'a2', 'a3', 'b1'])


def entries(name, root, bootstrap=0, **options):
    return evaluate(NETWORK, open_protocol(name, root), options, bootstrap).result['benchmarks']


def test_tinyface_states_its_rule_of_precision(official):
    ours, theirs = (entries('tinyface', official('tinyface'), bootstrap=10, **given)['tinyface']
                    for given in ({}, dict(compat='tinyface')))
    assert ours['rules']['average_precision'] == 'step' and theirs['rules']['average_precision'] == 'trapezoid'
    assert ours['metrics']['rank'] == theirs['metrics']['rank']
    map_ = theirs['metrics']['map']
    assert map_['value'] < ours['metrics']['map']['value'] and map_['low'] <= map_['value'] <= map_['high']


def test_ijb_by_insightface_searches_the_joined_galleries(official, tmp_path):
    entry = entries('ijbc', official('ijbc'), bootstrap=10, compat='insightface')['ijbc_1n']
    assert entry['rules']['galleries'] == 'joined' and entry['rules']['quality'] == 'detector'
    assert set(entry['metrics']['rank']) == {'1', '5', '10'}
    at = entry['metrics']['tpir_at_fpir']['1e-1']
    assert at['low'] <= at['value'] <= at['high'] and -1 <= at['threshold'] <= 1


def test_megaface_by_insightface_takes_noise_from_its_lists(official, tmp_path):
    import shutil
    root = shutil.copytree(official('megaface'), tmp_path / 'megaface')
    with pytest.raises(ValueError, match=r'needs the lists of noise .*facescrub_noises.txt and megaface_noises.txt'):
        entries('megaface', root, compat='insightface')
    names = open_protocol('megaface', root).images.names
    faces = [name.partition('/')[2] for name in names if name.startswith('facescrub')]
    others = [name.partition('/')[2] for name in names if not name.startswith('facescrub')]
    (root / 'facescrub_noises.txt').write_text(f'# wrong people\n{faces[0].rpartition("/")[2]}\n')
    (root / 'megaface_noises.txt').write_text('\n'.join(['# known people', others[0], f'7\t{others[1]}']))
    noise = open_protocol('megaface', root).benchmarks['megaface']['noise']
    assert [names[row] for row in np.flatnonzero(noise)] == [names[0], names[len(faces)], names[len(faces) + 1]]
    plain, cleaned = entries('megaface', root)['megaface'], entries('megaface', root, compat='insightface')['megaface']
    assert cleaned['counts']['distractors'] == plain['counts']['distractors'] - 2
    assert cleaned['counts']['searches'] == plain['counts']['searches'] and cleaned['rules']['compat'] == 'insightface'


@pytest.mark.parametrize('metric, compat', [(TinyFace, 'insightface'), (MegaFace, 'tinyface'),
                                            (Identification, 'tinyface')])
def test_a_foreign_compat_is_refused(metric, compat):
    with pytest.raises(ValueError, match='compat'):
        metric(compat=compat)
