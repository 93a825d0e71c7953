"""What a report shows, gathered from evaluations as plain numbers."""
import numpy as np

from mlaface.evaluation.functional.pairs import roc_points
from mlaface.evaluation.report.hardest import hardest_pairs, threshold_of
from mlaface.evaluation.results.result import model_names
from mlaface.evaluation.results.tables import comparison_cells, counts_text, entry_rows, rules_text

POINTS = 300
BINS = np.linspace(-1, 1, 81)


def collect(evaluations, hardest=8):
    """Everything the page, the figures and the CSV files show.

    Args:
        evaluations (list[Evaluation]): Of one suite, one a model.
        hardest (int): Pairs of each kind and model to show.

    Returns:
        dict: ``models``, ``benchmarks`` (one dict each, in order), ``environment``, ``comparisons``, ``warnings``.
    """
    first, names = evaluations[0], model_names([evaluation.result['model'] for evaluation in evaluations])
    comparisons = [dict(model=name, rows={key: comparison_cells(row) for key, row in found['benchmarks'].items()})
                   for name, found in zip(names[1:], first.result.get('comparisons', []))]
    return dict(models=[_model(name, evaluation.result) for name, evaluation in zip(names, evaluations)],
                benchmarks=[_benchmark(evaluations, names, name, hardest) for name in first.suite.benchmarks],
                environment=first.result['environment'], comparisons=comparisons,
                warnings=[dict(found, model=name) for name, evaluation in zip(names, evaluations)
                          if (found := evaluation.result.get('input_check')) and found['better_swapped']])


def _model(name, result):
    stated = result['model']['input'] or {}
    images = ', '.join(f'{key} {_short(value)}' for key, value in stated.items())
    return dict(name=name, file=result['model']['file'], sha256=result['model']['sha256'], images=images,
                embedding_size=result['model']['embedding_size'], mean_accuracy=result['mean_accuracy'])


def _short(value):
    """A value as one reads it: equal numbers once."""
    if not isinstance(value, (list, tuple)):
        return value
    return f'{value[0]:g}' if len(set(value)) == 1 and len(value) != 2 else ' x '.join(f'{v:g}' for v in value)


def _benchmark(evaluations, names, name, hardest):
    """One benchmark: numbers of all models, curves, histograms, folds, hardest pairs."""
    entries = [evaluation.result['benchmarks'][name] for evaluation in evaluations]
    data = dict(name=name, protocol=entries[0]['protocol'], rules=rules_text(entries[0]['rules']),
                counts=counts_text(entries[0]['counts']), table=_table(entries), folds=_folds(names, entries),
                words=evaluations[0].protocol(name).words, curves=[], histograms=[], hardest=[])
    for model, evaluation, entry in zip(names, evaluations, entries):
        for label, scored in evaluation.curves(name).items():
            title = ', '.join(filter(None, (model if len(names) > 1 else '', label))) or model
            curve = roc_points(*scored, POINTS)
            data['curves'].append(dict(model=title, **{key: value.tolist() for key, value in curve.items()}))
            data['histograms'].append(_histogram(*scored, entry.get('groups', {}).get(label, entry), title))
        data['hardest'] += hardest_pairs(evaluation, name, hardest, f'{model}: ' if len(names) > 1 else '')
    return data


def _folds(names, entries):
    """Accuracy by fold of each model and, in a benchmark of groups, of each group."""
    rows = []
    for model, entry in zip(names, entries):
        parts = {f'{model}, {label}' if len(names) > 1 else label: group['metrics']
                 for label, group in entry.get('groups', {}).items()} or {model: entry['metrics']}
        rows += [dict(model=title, values=metrics['accuracy']['folds']) for title, metrics in parts.items()
                 if 'folds' in metrics.get('accuracy', {})]
    return rows


def _table(entries):
    """Rows (metric, a text a model)."""
    columns = [dict(entry_rows(entry)) for entry in entries]
    keys = dict.fromkeys(key for column in columns for key in column)
    return [(key, [column.get(key, '') for column in columns]) for key in keys]


def _histogram(cosine, issame, entry, model):
    """Shares of same and of different pairs by cosine, and the threshold in use."""
    shares = {kind: (np.histogram(cosine[mask].clip(-1, 1), BINS)[0] / mask.sum()).tolist()
              for kind, mask in (('same', issame), ('different', ~issame))}
    return dict(model=model, edges=BINS.tolist(), **shares, threshold=threshold_of(entry))
