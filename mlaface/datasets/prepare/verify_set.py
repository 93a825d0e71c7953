"""Is a set whole? Its container, and every image, or a sample with the chance of having missed a fault."""
from typing import NamedTuple

import numpy as np
from scipy.stats import hypergeom

from mlaface.datasets.archives.examine import LeftOutError, Rules, examine
from mlaface.datasets.formats.errors import FormatError
from mlaface.utils.ahead import map_ahead

CHUNK = 64


class Sample(NamedTuple):
    """What a sample tells of a set of ``total`` images (int) of which ``drawn`` were looked at and ``faulty`` were."""
    total: int
    drawn: int
    faulty: int

    def missed(self, faulty):
        """The chance (float) that none of so many faulty images (int) of the set is among those drawn."""
        return float(hypergeom.pmf(0, self.total, faulty, self.drawn))

    def bound(self, confidence=0.95):
        """The most faulty images (int) that the set may hold, at a confidence (float).

        With more, the chance that no more than those found are drawn is below 1 - confidence: the exact upper bound,
        by the tail of the hypergeometric distribution, since the sample is drawn without replacement.
        """
        low, high = self.faulty, self.total - (self.drawn - self.faulty)
        while low < high:
            middle = (low + high + 1) // 2
            if hypergeom.cdf(self.faulty, self.total, middle, self.drawn) >= 1 - confidence:
                low = middle
            else:
                high = middle - 1
        return low


def draw_sample(total, number, seed=0):
    """Distinct indices, sorted so that files are read forwards.

    Args:
        total (int): Images of the set.
        number (int | None): How many; None, or as many as there are or more: all.
        seed (int): Of the draw.

    Returns:
        ndarray: Indices, (number,).
    """
    if number is None or number >= total:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, number, replace=False))


def verify_images(dataset, indices, size=None, workers=2, advance=lambda count: None, kept=None):
    """Read and decode images.

    Args:
        dataset (FaceDataset): The set.
        indices (ndarray): Which, (M,).
        size (tuple[int, int], optional): Height and width that an image must have.
        workers (int): Threads.
        advance (callable): Told how many are behind it.
        kept (KeptSteps, optional): Of an earlier call with the same indices and size.

    Returns:
        list[tuple[str, str]]: Key and fault of each image that cannot be used, in order.
    """
    rules = Rules(size)

    def look(chunk):
        found = []
        dataset.expect(chunk)
        for index in chunk:
            try:
                examine(dataset.encoded(index)[1], rules)
            except LeftOutError as error:
                found.append((_key(dataset, index), ': '.join(error.args)))
            except FormatError as error:
                found.append((_key(dataset, index), str(error)))
        return found
    return [fault for found in looked(len(indices), lambda part: look(indices[part.start:part.stop].tolist()), workers,
                                      advance, kept) for fault in map(tuple, found)]


def looked(count, look, workers=2, advance=lambda count: None, kept=None):
    """What a look at many images finds, chunk by chunk, in order; one that was killed goes on behind what is kept.

    Args:
        count (int): Images.
        look (callable): Gives plain values for a chunk (range); called in threads.
        workers (int): Threads.
        advance (callable): Told how many are behind it.
        kept (KeptSteps, optional): Of an earlier call.

    Yields:
        object: What was found in a chunk.
    """
    begin = kept.reached if kept else 0
    advance(begin)
    yield from kept.found() if kept else ()
    chunks = [range(start, min(start + CHUNK, count)) for start in range(begin, count, CHUNK)]
    for chunk, found in zip(chunks, map_ahead(look, chunks, workers)):
        if kept:
            kept.add(chunk.stop, found)
        advance(chunk.stop)
        yield found


def passed_over(dataset):
    """What looks like an image of a set and cannot be read: key and kind with fault, list[tuple[str, str]]."""
    return [(key, f'{kind}: {why}') for key, kind, why in dataset.passed_over]


def _key(dataset, index):
    try:
        return dataset.key(index)
    except FormatError:
        return f'image {index}'
