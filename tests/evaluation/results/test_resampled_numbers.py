"""Intervals and comparisons: numbers under weights are those of the sample written out, for every protocol."""
import numpy as np
import pytest

from mlaface.evaluation.functional.open_set import evaluate_open_set
from mlaface.evaluation.functional.retrieval import evaluate_retrieval
from mlaface.evaluation.functional.roc import area_under, roc_curve, tar_table
from mlaface.evaluation.functional.template_pairs import linked_people, template_scores
from mlaface.evaluation.functional.templates import pool_templates
from mlaface.evaluation.results.certainty import Sample, add_intervals, compare_samples, values_of
from mlaface.registry import PROTOCOLS


def sample_of(kind, rows, benchmark, **options):
    protocol = PROTOCOLS.build(dict(type=kind, **options))
    benchmark = dict(start=0, images=len(rows), **benchmark)
    scores = protocol.scores(rows, None, benchmark)
    return protocol.sample(scores, benchmark), protocol.entry(scores, benchmark)


def draw(seed=0, people=9, images=4, dimension=6):
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(people), images)
    rows = np.repeat(rng.normal(size=(people, dimension)), images, axis=0) + rng.normal(size=(len(subjects), dimension))
    return rng, np.round(rows, 1), subjects  # rounded, so that scores tie


def tinyface(seed=0):
    rng, rows, subjects = draw(seed)
    probe = np.arange(len(rows)) % 4 == 0
    order = np.concatenate([np.flatnonzero(probe), np.flatnonzero(~probe)])
    known = np.where(subjects[~probe] > 6, -1, subjects[~probe])
    known[:2] = -1
    probes = np.flatnonzero(probe)[np.isin(subjects[probe], known)]
    rows = np.concatenate([rows[probes], rows[order[probe.sum():]]])
    return rows, dict(probe_subjects=subjects[probes], gallery_subjects=known)


def ijb(seed=0):
    """Two galleries of three people each, two probe templates a person; nine people."""
    rng, rows, subjects = draw(seed)
    templates = np.arange(len(rows)) // 2 + 100
    galleries = {name: (100 + 2 * people, people) for name, people in (('a', np.arange(3)), ('b', np.arange(3, 6)))}
    first, second = (side.ravel() for side in np.meshgrid(np.unique(templates)[::2], np.unique(templates)[1::2]))
    return rows, dict(templates=templates, media=np.arange(len(rows)), galleries=galleries,
                      probes=(np.arange(101, 118, 2), np.arange(9)), first=first, second=second,
                      issame=first + 1 == second)


def assert_close(found, expected):
    for path, value in found.items():
        at = expected
        for key in path:
            at = at[key]
        assert value == pytest.approx(at['value'], abs=1e-12), path


@pytest.mark.parametrize('kind, data', [('tinyface', tinyface()), ('identification', ijb()),
                                        ('templates', ijb())])
def test_everyone_once_gives_the_entry(kind, data):
    sample, entry = sample_of(kind, *data)
    assert_close(sample.everyone(), entry)


def test_weighted_retrieval_is_that_of_repeated_probes():
    rows, benchmark = tinyface()
    sample, _ = sample_of('tinyface', rows, benchmark)
    subjects = benchmark['probe_subjects']
    weights = np.arange(len(subjects)) % 3
    again = np.repeat(np.arange(len(subjects)), weights)
    expected = evaluate_retrieval(rows[again], subjects[again], rows[len(subjects):], benchmark['gallery_subjects'])
    assert_close(values_of(sample.numbers(weights)), expected)


def test_weighted_identification_is_that_of_repeated_probes():
    rows, benchmark = ijb()
    sample, _ = sample_of('identification', rows, benchmark)
    pooled = pool_templates(rows, benchmark['templates'], benchmark['media'], flipped=rows)
    ids, subjects = benchmark['probes']
    weights = np.array([0, 1, 2, 3, 1, 0, 2, 1, 2])
    again = np.repeat(np.arange(9), weights)
    galleries = {name: (pooled.embeddings[pooled.rows(g)], s) for name, (g, s) in benchmark['galleries'].items()}
    assert_close(values_of(sample.numbers(weights)),
          evaluate_open_set(pooled.embeddings[pooled.rows(ids[again])], subjects[again], galleries))


def test_weighted_template_pairs_are_repeated_pairs():
    rows, benchmark = ijb()
    sample, _ = sample_of('templates', rows, benchmark)
    scores = template_scores(pool_templates(rows, benchmark['templates'], benchmark['media'], flipped=rows),
                             benchmark['first'], benchmark['second'])
    weights = np.random.default_rng(0).integers(0, 3, len(scores))
    roc = roc_curve(np.repeat(scores, weights), np.repeat(benchmark['issame'], weights))
    found = sample.numbers(weights)['metrics']
    assert found['auc']['value'] == area_under(roc)
    assert found['tar_at_far'] == {far: dict(value=row['value'])
                                   for far, row in tar_table(roc, [10.0 ** -k for k in range(1, 7)]).items()}


def test_distractors_by_plain_loops():
    _, rows, subjects = draw(people=4)
    others = np.round(np.random.default_rng(9).normal(size=(20, 6)), 1)
    sample, entry = sample_of('megaface', np.concatenate([rows, others]), dict(subjects=subjects))
    unit = [table / np.sqrt(np.einsum('ij,ij->i', table, table))[:, None] for table in (rows, others)]
    weights, hits, total = np.arange(len(rows)) % 3, dict.fromkeys(('1', '10'), 0), 0
    for i, j in ((i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j and subjects[i] == subjects[j]):
        mate = np.einsum('i,i', unit[0][i], unit[0][j])
        above = sum(np.einsum('i,i', unit[0][i], other) >= mate for other in unit[1])
        total += weights[i]
        hits = {rank: count + weights[i] * (above < int(rank)) for rank, count in hits.items()}
    assert entry['counts'] == dict(images=16, searches=48, distractors=20)
    assert sample.numbers(weights)['metrics']['rank'] == {r: dict(value=count / total) for r, count in hits.items()}


def pairs_sample(strength, people=40, seed=0):
    rng = np.random.default_rng(seed)
    issame = np.arange(400) % 2 == 0
    subjects = rng.integers(0, people, (400, 2))
    first = rng.normal(size=(400, 8))
    second = rng.normal(size=(400, 8)) + first * (issame * strength)[:, None]
    rows = np.stack([first, second], axis=1).reshape(800, 8)
    return sample_of('pairs', rows, dict(issame=issame, subjects=subjects))


def four_groups(seed=0, people=30, pairs=120):
    """Groups that differ in nothing but chance, their people's names shared by all groups."""
    rng = np.random.default_rng(seed)
    groups, rows = {}, []
    for start, name in enumerate('abcd'):
        issame = np.arange(pairs) % 2 == 0
        first = rng.normal(size=(pairs, 6))
        second = rng.normal(size=(pairs, 6)) + first * issame[:, None]
        groups[name] = dict(start=2 * pairs * start, images=2 * pairs, issame=issame,
                            subjects=rng.integers(0, people, (pairs, 2)))
        rows.append(np.stack([first, second], axis=1).reshape(2 * pairs, 6))
    return np.concatenate(rows), dict(groups=groups)


def test_groups_and_their_gap_under_weights_are_those_of_the_pairs_written_out():
    rows, benchmark = four_groups()
    sample, entry = sample_of('rfw', rows, benchmark)
    people = [(name, person) for name, group in benchmark['groups'].items() for person in np.unique(group['subjects'])]
    assert sample.unit == 'people' and len(np.unique(sample.subjects)) == len(people)
    weights = np.random.default_rng(3).integers(0, 3, len(sample.subjects))
    found, accuracy = sample.numbers(weights), {}
    for number, (name, group) in enumerate(benchmark['groups'].items()):
        pairs = rows[group['start']:group['start'] + group['images']].reshape(-1, 2, 6)
        distance = ((pairs[:, 0] / np.linalg.norm(pairs[:, 0], axis=1)[:, None]
                     - pairs[:, 1] / np.linalg.norm(pairs[:, 1], axis=1)[:, None]) ** 2).sum(axis=1)
        thresholds = 2 - 2 * np.array(entry['groups'][name]['metrics']['threshold']['folds'])
        right = (distance < np.repeat(thresholds, 12)) == group['issame']
        accuracy[name] = np.repeat(right, weights[number * 120:(number + 1) * 120]).mean()
        assert found['groups'][name]['metrics']['accuracy']['value'] == pytest.approx(accuracy[name], abs=1e-12)
    assert found['metrics']['accuracy']['value'] == pytest.approx(np.mean(list(accuracy.values())), abs=1e-12)
    gap = entry['metrics']['gap']
    assert found['metrics']['gap']['value'] == pytest.approx(accuracy[gap['best']] - accuracy[gap['worst']], abs=1e-12)


@pytest.mark.parametrize('seed', [3, 7, 10])
def test_the_interval_of_the_gap_holds_it_and_none_where_groups_differ_by_chance(seed):
    sample, entry = sample_of('rfw', *four_groups(seed))
    add_intervals(entry, sample, 100)
    gap = entry['metrics']['gap']
    assert gap['low'] < 0 < gap['value'] < gap['high']


def test_intervals_stand_beside_every_number_of_pairs():
    sample, entry = pairs_sample(1.0)
    add_intervals(entry, sample, 100)
    assert entry['bootstrap'] == dict(unit='people', resamples=100, seed=0)
    for number in (entry['metrics'][key] for key in ('accuracy', 'auc', 'eer')):
        assert number['low'] <= number['value'] <= number['high'] and number['confidence'] == 0.95
    assert all('low' in row for row in entry['metrics']['tar_at_far'].values())
    assert 'low' not in entry['metrics']['threshold']


def test_numbers_that_few_draws_define_are_listed_and_have_no_interval():
    sample = Sample('people', np.arange(2), lambda weights: dict(a=dict(value=float('nan') if weights[0] else 1.0),
                                                                 b=dict(value=0.5)), ('b',))
    entry = dict(a=dict(value=1.0), b=dict(value=0.5))
    add_intervals(entry, sample, 50)
    assert entry['bootstrap']['undefined'] == ['a'] and 'low' not in entry['a'] and entry['b']['low'] == 0.5


def test_people_make_wider_intervals_than_pairs():
    people = np.repeat(np.arange(20), 50)
    hits = (np.random.default_rng(0).random(20) > 0.4)[people]

    def width(subjects):
        entry = dict(a=dict(value=hits.mean()))
        add_intervals(entry, Sample('', subjects, lambda w: dict(a=dict(value=w[hits].sum() / w.sum())), ('a',)), 300)
        return entry['a']['high'] - entry['a']['low']
    assert width(people) > 2 * width(np.arange(1000))


def test_equal_models_do_not_differ_and_better_ones_do():
    weak, strong = pairs_sample(0.4)[0], pairs_sample(3.0)[0]
    same = compare_samples(weak, weak, 50)
    assert same['mcnemar']['p_value'] == 1
    assert all(gap['value'] == gap['low'] == gap['high'] == 0 for gap in same['differences'].values())
    better = compare_samples(strong, weak, 100)
    assert better['metric'] == 'accuracy' and better['difference']['low'] > 0.1
    assert better['mcnemar']['p_value'] < 1e-6 and better['differences']['auc']['low'] > 0
    assert better['difference']['value'] == pytest.approx(better['values'][0] - better['values'][1])


def test_a_seed_decides_the_interval():
    sample, entry = pairs_sample(1.0)
    ends = []
    for seed in (1, 1, 2):
        add_intervals(entry, sample, 50, seed)
        ends.append((entry['metrics']['auc']['low'], entry['metrics']['auc']['high']))
    assert ends[0] == ends[1] != ends[2]


@pytest.mark.parametrize('seed', range(20))
def test_linked_people_are_the_connected_parts(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(5, 40, (2, 60))
    issame = rng.random(60) < 0.4
    parts = [{number} for number in set(first) | set(second)]
    for one, other in zip(first[issame], second[issame]):
        joined = [part for part in parts if one in part or other in part]
        parts = [part for part in parts if part not in joined] + [set().union(*joined)]
    part_of = {number: k for k, part in enumerate(parts) for number in part}
    people = linked_people(first, second, issame)
    expected = np.array([[part_of[a], part_of[b]] for a, b in zip(first, second)])
    flat, theirs = people.ravel(), expected.ravel()
    np.testing.assert_array_equal(flat[:, None] == flat, theirs[:, None] == theirs)
