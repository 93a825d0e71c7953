"""Numbers of groups of people and the gap between them (RFW: Wang et al. 2019, four groups)."""
from dataclasses import replace

import numpy as np

from mlaface.evaluation.functional.checks import check_pairs
from mlaface.evaluation.functional.pairs import DEFAULT_RULES, pair_scores, pairs_entry
from mlaface.evaluation.functional.roc import roc_curve, tar_at_far


def evaluate_groups(groups, *, rules=DEFAULT_RULES):
    """Each group's pairs benchmark, and how far the groups lie apart.

    Args:
        groups (dict[str, dict]): Name -> ``dict(embeddings, issame, flipped=None, names=None)`` as ``evaluate_pairs``
            takes them; RFW has African, Asian, Caucasian and Indian.
        rules (PairRules): The same for all groups.

    Returns:
        dict: ``protocol='groups'``, ``groups`` (name -> entry) and ``metrics``: ``accuracy`` (mean over groups with
        ``std``), ``gap`` (largest minus smallest accuracy, with the groups' names) and ``shared_threshold``.

    Raises:
        ValueError: If there are fewer than two groups, or a group's input is bad; names the group.
    """
    scores, labels = {}, {}
    for name, data in groups.items():
        try:
            embeddings, labels[name], flipped = check_pairs(data['embeddings'], data['issame'], data.get('flipped'),
                                                            data.get('names'))
            scores[name] = pair_scores(embeddings, flipped=flipped, rules=rules, names=data.get('names'))
        except ValueError as error:
            raise ValueError(f'group {name}: {error}') from error
    if all(data.get('flipped') is None for data in groups.values()):
        rules = replace(rules, flip='none')
    return groups_entry(scores, labels, rules)


def groups_entry(scores, labels, rules=DEFAULT_RULES):
    """``evaluate_groups`` from scores.

    Args:
        scores (dict[str, PairScores]): By group.
        labels (dict[str, ndarray]): issame (P,) by group.
        rules (PairRules): The same for all groups.

    Returns:
        dict: A benchmark's entry of result JSON.

    Raises:
        ValueError: If there are fewer than two groups, or a group's folds lack same or different pairs; names it.
    """
    if len(scores) < 2:
        raise ValueError(f'{len(scores)} groups: a gap needs at least two')
    entries = {}
    for name, group in scores.items():
        try:
            entries[name] = pairs_entry(group, labels[name], rules)
        except ValueError as error:
            raise ValueError(f'group {name}: {error}') from error
    accuracy = {name: entry['metrics']['accuracy']['value'] for name, entry in entries.items()}
    counts = {key: sum(entry['counts'][key] for entry in entries.values()) for key in ('images', 'pairs', 'positives')}
    values = list(accuracy.values())
    metrics = dict(accuracy=dict(value=float(np.mean(values)), std=float(np.std(values))), gap=accuracy_gap(accuracy),
                   shared_threshold=shared_threshold({name: (group.cosine, np.asarray(labels[name], bool))
                                                      for name, group in scores.items()}))
    return dict(protocol='groups', rules=next(iter(entries.values()))['rules'], counts=counts, metrics=metrics,
                groups=entries)


def accuracy_gap(accuracy):
    """Distance between the best and the worst group.

    Args:
        accuracy (dict[str, float]): By group.

    Returns:
        dict: ``value``, ``best`` and ``worst`` (names).
    """
    best, worst = max(accuracy, key=accuracy.get), min(accuracy, key=accuracy.get)
    return dict(value=accuracy[best] - accuracy[worst], best=best, worst=worst)


def shared_threshold(scores, far=1e-3):
    """What one threshold for all does to each group: people are served by one, not by a group's own.

    Args:
        scores (dict[str, tuple]): Group -> (cosines (P,), issame (P,)).
        far (float): Target over all groups' different pairs together, strict rule.

    Returns:
        dict: ``far`` (target), ``threshold`` and ``groups``: name -> ``tar`` and ``far`` at that threshold.
    """
    cosine, issame = (np.concatenate(parts) for parts in zip(*scores.values()))
    threshold = tar_at_far(roc_curve(cosine, issame), far)['threshold']
    rates = {name: dict(tar=float((values[same] >= threshold).mean()), far=float((values[~same] >= threshold).mean()))
             for name, (values, same) in scores.items()}
    return dict(far=far, threshold=threshold, groups=rates)
