"""Template pooling and IJB 1:1: golden numbers, equivalence, bad input."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.evaluation.functional.template_pairs import evaluate_templates, template_scores
from mlaface.evaluation.functional.templates import TemplateRules, Templates, pool_templates

FARS = (1e-1, 1e-2, 1e-3)


@pytest.fixture(scope='module')
def ijb(golden_file):
    return np.load(golden_file('verification_golden.npz'))


def golden_pool(ijb, flip, norm, score, far_rule='strict'):
    """Templates by the golden file's switches: norm 1 keeps the embedding's length as a weight."""
    both = ijb['ijb_features']
    half = both.shape[1] // 2
    rules = TemplateRules('sum' if flip else 'none', 'none' if norm else 'l2', 'detector' if score else 'none',
                          far_rule)
    return rules, pool_templates(both[:, :half], ijb['ijb_template'], ijb['ijb_media'], flipped=both[:, half:],
                                 quality=ijb['ijb_detector_score'], rules=rules)


@pytest.mark.parametrize('score', [0, 1])
@pytest.mark.parametrize('norm', [0, 1])
@pytest.mark.parametrize('flip', [0, 1])
def test_pooling_and_rates_are_golden(ijb, flip, norm, score):
    name = f'ijb_flip{flip}_norm{norm}_score{score}'
    for far_rule in ('strict', 'nearest'):
        rules, templates = golden_pool(ijb, flip, norm, score, far_rule)
        np.testing.assert_allclose(templates.embeddings, ijb[f'{name}_templates'], atol=1e-12)
        entry = evaluate_templates(templates, ijb['ijb_pair_a'], ijb['ijb_pair_b'], ijb['ijb_label'], rules=rules,
                                   fars=FARS)
        table = entry['metrics']['tar_at_far'].values()
        if far_rule == 'nearest':
            np.testing.assert_allclose([row['value'] for row in table], ijb[f'{name}_nearest_tar'])
        else:
            rows = [[row['value'], row['threshold'], row['false_accepts']] for row in table]
            np.testing.assert_allclose(rows, ijb[f'{name}_strict'], rtol=1e-9)


def generated(seed, images=60, dimension=6):
    """Images of few templates and media, some of them twice."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(images, dimension))
    embeddings[1::7] = embeddings[0]
    return dict(embeddings=embeddings, templates=rng.integers(0, 9, images), media=rng.integers(0, 4, images),
                flipped=rng.normal(size=(images, dimension)), quality=rng.uniform(0.1, 1, images))


def plain_pool(data, rules):
    """The pooling written out with one loop over templates and one over media."""
    images = data['embeddings'].astype(np.float64) + (data['flipped'] if rules.flip == 'sum' else 0)
    if rules.norm == 'l2':
        images = images / np.linalg.norm(images, axis=1, keepdims=True)
    if rules.quality == 'detector':
        images = images * data['quality'][:, None]
    pooled = []
    for template in np.unique(data['templates']):
        mine = data['templates'] == template
        media = [images[mine & (data['media'] == medium)].mean(axis=0) for medium in np.unique(data['media'][mine])]
        pooled.append(np.sum(media, axis=0))
    return np.array(pooled) / np.linalg.norm(pooled, axis=1, keepdims=True)


every_rule = st.builds(TemplateRules, st.sampled_from(['sum', 'none']), st.sampled_from(['l2', 'none']),
                       st.sampled_from(['none', 'detector']))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), every_rule)
def test_pooling_is_the_plain_loop(seed, rules):
    data = generated(seed)
    np.testing.assert_allclose(pool_templates(**data, rules=rules).embeddings, plain_pool(data, rules), atol=1e-13)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), every_rule, st.integers(1, 70), st.sampled_from(['f2', 'f4', 'f8']))
def test_same_bits_for_any_block_and_any_order(seed, rules, block, dtype):
    data = generated(seed)
    for key in ('embeddings', 'flipped'):
        data[key] = data[key].astype(dtype)
    whole = pool_templates(**data, rules=rules)
    order = np.random.default_rng(seed + 1).permutation(60)
    shuffled = pool_templates(**{key: value[order] for key, value in data.items()}, rules=rules, block=block)
    np.testing.assert_array_equal(whole.ids, shuffled.ids)
    np.testing.assert_array_equal(whole.embeddings, shuffled.embeddings)


def test_scores_do_not_depend_on_threads_or_on_the_order_of_pairs():
    templates = pool_templates(**generated(0))
    rng = np.random.default_rng(1)
    first, second = rng.choice(templates.ids, (2, 200_000))
    scores = template_scores(templates, first, second)
    order = rng.permutation(len(first))
    np.testing.assert_array_equal(template_scores(templates, first[order], second[order], workers=2), scores[order])
    np.testing.assert_array_equal(template_scores(templates, second, first), scores)


def test_concatenated_flips_give_twice_the_width():
    data = generated(3)
    assert pool_templates(**data, rules=TemplateRules(flip='concat')).embeddings.shape[1] == 12


@pytest.mark.parametrize('key, value, message', [
    ('embeddings', np.nan, 'image 17 is not finite'),
    ('embeddings', 0.0, 'image 17 is zero'),
    ('quality', np.nan, 'detector score of image 17'),
    ('quality', -1.0, 'detector score of image 17'),
])
def test_a_bad_image_is_named_by_its_place_in_the_list(key, value, message):
    data = generated(0)
    data[key][17] = value
    with pytest.raises(ValueError, match=message):
        pool_templates(**data, rules=TemplateRules(flip='none', quality='detector'), block=5)


def test_a_bad_image_is_named_by_its_name():
    data = generated(0)
    data['embeddings'][40] = np.nan
    with pytest.raises(ValueError, match=r'image 40 \(img/40\.jpg\)'):
        pool_templates(**data, names=[f'img/{number}.jpg' for number in range(60)])


def test_a_template_whose_images_cancel_is_named():
    embeddings = np.array([[1.0, 0], [-1, 0], [0, 1]])
    with pytest.raises(ValueError, match='template 5.* is zero'):
        pool_templates(embeddings, [5, 5, 6], [0, 0, 0], rules=TemplateRules(flip='none'))


@pytest.mark.parametrize('change, message', [
    (dict(templates=np.zeros(59)), 'templates must hold one value for each of the 60'),
    (dict(media=np.zeros(61)), 'media must hold one value'),
    (dict(flipped=None), 'mirrored'),
    (dict(flipped=np.ones((60, 5))), 'mirrored'),
])
def test_lists_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        pool_templates(**(generated(0) | change))


def test_detector_rule_needs_scores():
    with pytest.raises(ValueError, match='detector'):
        pool_templates(**(generated(0) | dict(quality=None)), rules=TemplateRules(quality='detector'))


def test_a_template_without_images_is_named():
    templates = Templates(np.array([1, 4]), np.eye(2))
    with pytest.raises(ValueError, match='first 3'):
        evaluate_templates(templates, [1, 3], [4, 4], [True, False])
    with pytest.raises(ValueError, match='without images'):
        evaluate_templates(templates, [1, 9], [4, 4], [True, False])
    with pytest.raises(ValueError, match='one side'):
        evaluate_templates(templates, [1], [4, 4], [True, False])
