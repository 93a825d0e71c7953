"""IJB 1:1: templates compared over a published list of pairs."""
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np

from mlaface.evaluation.functional.arrays import HOST
from mlaface.evaluation.functional.checks import check_scores
from mlaface.evaluation.functional.roc import area_under, equal_error_rate, roc_curve, tar_table
from mlaface.evaluation.functional.rows import cosines
from mlaface.evaluation.functional.templates import DEFAULT_RULES

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def template_scores(templates, first, second, workers=1, arrays=HOST):
    """Cosines of pairs of templates.

    Args:
        templates (Templates): Pooled templates.
        first (array (P,)): Ids of the one side.
        second (array (P,)): Ids of the other side.
        workers (int): Threads.
        arrays (HostArrays): Where the products are computed.

    Returns:
        ndarray (P,): float64, the same bits for any number of threads, any order of the pairs and any ``arrays``.

    Raises:
        ValueError: If the sides differ in count or name a template without images.
    """
    if len(first) != len(second):
        raise ValueError(f'the list of pairs has {len(first)} templates on one side and {len(second)} on the other')
    first, second = templates.rows(first, 'the list of pairs'), templates.rows(second, 'the list of pairs')
    table = arrays.load(templates.embeddings)
    bounds = range(0, len(first), 1 << 16)
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(lambda start: cosines(table, first[start:start + (1 << 16)], table,
                                               second[start:start + (1 << 16)], arrays), bounds)
        return np.concatenate(list(parts))


def evaluate_templates(templates, first, second, issame, *, images=None, rules=DEFAULT_RULES, fars=FARS, workers=1,
                       arrays=HOST):
    """IJB 1:1: TAR at FAR over a list of pairs of templates.

    Args:
        templates (Templates): Pooled by ``pool_templates`` with the same rules.
        first (array (P,)): Ids of the one side.
        second (array (P,)): Ids of the other side.
        issame (array (P,)): True for pairs of one person.
        images (int or None): How many images were pooled, for the record.
        rules (TemplateRules): How they were pooled, and the rule for FAR.
        fars (sequence of float): Targets.
        workers (int): Threads.
        arrays (HostArrays): Where scores are computed.

    Returns:
        dict: A benchmark's entry of result JSON, schema 1.

    Raises:
        ValueError: If counts do not fit or a template has no images.
    """
    scores = template_scores(templates, first, second, workers, arrays)
    counts = dict(templates=len(templates.ids))
    return templates_entry(scores, issame, counts if images is None else dict(images=images, **counts), rules, fars)


def templates_entry(scores, issame, counts, rules=DEFAULT_RULES, fars=FARS):
    """``evaluate_templates`` from scores.

    Args:
        scores (array (P,)): Cosines of the pairs.
        issame (array (P,)): True for pairs of one person.
        counts (dict): What is known of ``images`` and ``templates``, for the record.
        rules (TemplateRules): How the templates were pooled, and the rule for FAR.
        fars (sequence of float): Targets.

    Returns:
        dict: A benchmark's entry of result JSON.
    """
    scores, issame = check_scores(scores, issame)
    roc = roc_curve(scores, issame)
    rate, threshold = equal_error_rate(roc)
    return dict(protocol='templates', rules=asdict(rules), counts=dict(counts, pairs=len(issame),
                                                                       positives=roc.positives),
                metrics=dict(tar_at_far=tar_table(roc, fars, rules.far_rule), auc=dict(value=area_under(roc)),
                             eer=dict(value=rate, threshold=threshold)))


def linked_people(first, second, issame):
    """The people of a list's templates, as far as the list tells: templates of a same pair are one person's.

    The lists of IJB compare a person's gallery template with all probes of the person, so that links are the people.

    Args:
        first (array (P,)): Ids of the one side.
        second (array (P,)): Ids of the other side.
        issame (array (P,)): True for pairs of one person.

    Returns:
        ndarray (P, 2): int64; the least row of the two templates' people among all ids, rising.
    """
    ids = np.unique(np.concatenate([first, second]))
    rows = np.stack([np.searchsorted(ids, side) for side in (first, second)], axis=1)
    people, links = np.arange(len(ids)), np.unique(rows[np.asarray(issame, bool)], axis=0)
    while len(links):
        least = people[links].min(axis=1)
        if (people[links] == least[:, None]).all():
            break
        np.minimum.at(people, links.ravel(), np.repeat(least, 2))
    return people[rows]
