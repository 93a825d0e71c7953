"""Pairs of images to try a network on, of a benchmark or of any set whose people are known."""
import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.jpeg import decode
from mlaface.datasets.prepare.inspect import open_set
from mlaface.datasets.prepare.pairs import draw_folds
from mlaface.evaluation.doctor.trials import Sample
from mlaface.evaluation.networks.color_check import spread
from mlaface.utils.errors import InputError

LEAST = 20  # pairs; of fewer nothing can be said


def draw_sample(path, pairs=150, seed=0):
    """Pairs spread over a benchmark, or drawn from a set of identities.

    Args:
        path (str | Path): What ``open_set`` opens: a ``.bin``, a folder of identities, records, ...
        pairs (int): How many, half of them of one person; fewer where the set has no more. Default 150.
        seed (int): Of the draw.

    Returns:
        Sample: The pairs.

    Raises:
        MissingDataError, FormatError: If the set is not there, or an image is damaged.
        InputError: If it makes fewer than 20 pairs.
    """
    dataset = open_set(path)
    benchmarks = dataset.metainfo.get('benchmarks')
    rows, issame = _listed(benchmarks, pairs) if benchmarks else _drawn(dataset.labels, pairs, seed)
    if len(issame) < LEAST or issame.all() or not issame.any():
        raise InputError(f'{path} makes {len(issame)} pairs, {issame.sum()} of one person: {LEAST} are needed, of both '
                         'kinds')
    chosen, places = np.unique(dataset.metainfo['same_as'][rows] if benchmarks else rows, return_inverse=True)
    return Sample([_image(dataset, int(index)) for index in chosen], places.reshape(rows.shape), issame)


def _listed(benchmarks, pairs):
    entry, = benchmarks.values()
    chosen = spread(entry['issame'], pairs)
    return 2 * chosen[:, None] + np.arange(2), entry['issame'][chosen]


def _drawn(labels, pairs, seed):
    while True:
        try:
            drawn = draw_folds(labels, pairs, folds=2, seed=seed)
            return drawn.pairs, drawn.issame
        except InputError:
            pairs = pairs * 3 // 4
            if pairs < LEAST:
                raise


def _image(dataset, index):
    try:
        return decode(dataset.encoded(index)[1])
    except FormatError as error:
        raise type(error)(f'{dataset.where(index)}: {error}') from error
