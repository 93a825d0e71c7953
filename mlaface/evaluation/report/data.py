"""What a report shows, gathered from evaluations as plain numbers and small pictures."""
import base64
from pathlib import Path

import numpy as np

from mlaface.evaluation.functional.pairs import roc_points
from mlaface.evaluation.tables import counts_text, entry_rows, rules_text

POINTS = 300
BINS = np.linspace(-1, 1, 81)


def collect(evaluations, hardest=8):
    """Everything the page, the figures and the CSV files show.

    Args:
        evaluations (list[Evaluation]): Of one suite, one a model.
        hardest (int): Pairs of each kind to show, by the first model.

    Returns:
        dict: ``models``, ``benchmarks`` (one dict each, in order), ``date``, ``comparison``.
    """
    first = evaluations[0]
    names = model_names(evaluations)
    return dict(models=[_model(name, evaluation.result) for name, evaluation in zip(names, evaluations)],
                benchmarks=[_benchmark(evaluations, names, name, hardest) for name in first.suite.benchmarks],
                environment=first.result['environment'], comparison=first.result.get('comparison'),
                input_check=first.result.get('input_check'))


def model_names(evaluations):
    """A short and distinct name for each model."""
    names = [Path(e.result['model']['file'] or e.result['model']['name'] or 'model').name for e in evaluations]
    return [name if names.count(name) == 1 else f'{name} ({number + 1})' for number, name in enumerate(names)]


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
                counts=counts_text(entries[0]['counts']), table=_table(entries), curves=[], histogram=None, hardest=[],
                folds=[dict(model=model, values=entry['metrics']['accuracy']['folds'])
                       for model, entry in zip(names, entries) if 'folds' in entry['metrics'].get('accuracy', {})])
    for number, evaluation in enumerate(evaluations):
        scored = _scored(evaluation, name)
        if scored is None:
            continue
        curve = roc_points(*scored, POINTS)
        data['curves'].append(dict(model=names[number], **{key: value.tolist() for key, value in curve.items()}))
        if number == 0:
            data['histogram'] = _histogram(*scored, entries[0])
            data['hardest'] = _hardest(evaluation, name, *scored, hardest)
    return data


def _table(entries):
    """Rows (metric, a text a model)."""
    columns = [dict(entry_rows(entry)) for entry in entries]
    keys = dict.fromkeys(key for column in columns for key in column)
    return [(key, [column.get(key, '') for column in columns]) for key in keys]


def _scored(evaluation, name):
    benchmark = evaluation.suite.benchmarks[name]
    return evaluation.metrics[benchmark['protocol']].scored_pairs(*evaluation.part(name), benchmark)


def _histogram(cosine, issame, entry):
    """Shares of same and of different pairs by cosine, and the threshold in use."""
    shares = {kind: (np.histogram(cosine[mask], BINS)[0] / mask.sum()).tolist()
              for kind, mask in (('same', issame), ('different', ~issame))}
    return dict(edges=BINS.tolist(), **shares, threshold=entry['metrics'].get('threshold', {}).get('value'))


def _hardest(evaluation, name, cosine, issame, count):
    """The different pairs that look most alike and the same pairs that look least alike, with their images."""
    benchmark = evaluation.suite.benchmarks[name]
    if evaluation.suite.images is None or benchmark['protocol'] != 'pairs' or count < 1:
        return []
    order = np.argsort(cosine, kind='stable')
    accepts, rejects = order[~issame[order]][::-1][:count], order[issame[order]][:count]
    return [dict(title=title, pairs=[_pair(evaluation.suite.images, benchmark, pair, cosine) for pair in pairs])
            for title, pairs in (('Different people, most alike', accepts), ('One person, least alike', rejects))]


def _pair(images, benchmark, pair, cosine):
    first = 2 * int(pair)
    names = benchmark.get('names')
    pictures = images.read([benchmark['start'] + first, benchmark['start'] + first + 1])
    return dict(number=int(pair), score=float(cosine[pair]), images=[picture_url(picture) for picture in pictures],
                names=[str(names[first]), str(names[first + 1])] if names is not None else None)


def picture_url(image):
    """An RGB image uint8 (3, H, W) as a ``data:`` address of a JPEG."""
    import cv2
    ok, data = cv2.imencode('.jpg', np.ascontiguousarray(image.transpose(1, 2, 0)[..., ::-1]),
                            [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not ok:
        raise ValueError('an image could not be encoded as JPEG')
    return 'data:image/jpeg;base64,' + base64.b64encode(data.tobytes()).decode()
