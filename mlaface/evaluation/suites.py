"""What is to be evaluated: images, and the benchmarks that are made of their rows."""
import inspect
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlaface.evaluation.embedding import DatasetImages
from mlaface.registry import DATASETS, METRICS


@dataclass
class Suite:
    """Images and benchmarks on them.

    Args:
        images (object or None): Has ``read(rows)`` and a length; None where embeddings were computed before.
        benchmarks (dict): Name -> entry as in ``dataset.metainfo['benchmarks']``: ``protocol``, ``start``,
            ``images`` and what the protocol needs.
        embeddings (ndarray (N, D) or None): Precomputed.
        flipped (ndarray (N, D) or None): Precomputed, of the mirrored images.
    """
    images: object
    benchmarks: dict
    embeddings: np.ndarray | None = None
    flipped: np.ndarray | None = None

    @property
    def count(self):
        """Rows that the benchmarks span."""
        return max(entry['start'] + entry['images'] for entry in self.benchmarks.values())

    @property
    def same_as(self):
        """For each row the first one that has its image, int (N,); None where all images are distinct."""
        same_as = getattr(self.images, 'same_as', None)
        return None if same_as is None else np.asarray(same_as)[:self.count]

    @property
    def distinct(self):
        """Rows that are embedded, int, ascending; the others have the image of one of these."""
        return np.arange(self.count) if self.same_as is None else np.unique(self.same_as)


def dataset_suite(cfg):
    """The suite of a data set of the registry, such as ``VerificationSets``.

    Args:
        cfg (dict): Config of the data set.

    Raises:
        ValueError: If the data set has no benchmarks.
    """
    dataset = DATASETS.build(dict(cfg))
    benchmarks = (getattr(dataset, 'metainfo', None) or {}).get('benchmarks')
    if not benchmarks:
        raise ValueError(f'{cfg["type"]} has no benchmarks in its metainfo: name an evaluation set, for example '
                         "dict(type='VerificationSets', data_root='DIR', sets=['lfw'])")
    return Suite(DatasetImages(dataset), benchmarks)


def bin_suite(paths):
    """The suite of verification sets in ``.bin`` files, each named by its file.

    Args:
        paths (sequence of str): The files.

    Raises:
        FileNotFoundError: If one is not there; names all that are missing.
        ValueError: If two have one name.
    """
    paths = [Path(path) for path in paths]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(f'no verification set at {", ".join(missing)}; looked from {Path.cwd()}')
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        raise ValueError(f'two sets have one name: {", ".join(names)}')
    return dataset_suite(dict(type='VerificationSets', sets={path.stem: str(path.resolve()) for path in paths}))


def folder_suite(folder):
    """The suite of all ``.bin`` files of a folder.

    Raises:
        FileNotFoundError: If there are none.
    """
    found = sorted(Path(folder).glob('*.bin'))
    if not found:
        raise FileNotFoundError(f'no .bin file in {Path(folder).resolve()}: give --sets, or --protocol for official '
                                'lists with image folders')
    return bin_suite(found)


def metric_of(protocol, given):
    """The metric of a protocol, built with those of the given options that it takes.

    Args:
        protocol (str): As in a benchmark's entry.
        given (dict): Options by name.

    Returns:
        EmbeddingMetric: The metric.

    Raises:
        ValueError: If no metric has this protocol.
    """
    classes = {getattr(METRICS.get(name), 'protocol', None): name for name in METRICS.names()}
    if protocol not in classes:
        known = ', '.join(sorted(filter(None, classes)))
        raise ValueError(f'no metric for the protocol {protocol!r}; there are {known}')
    taken = inspect.signature(METRICS.get(classes[protocol])).parameters
    return METRICS.build(dict(type=classes[protocol], **{key: v for key, v in given.items() if key in taken}))


def check_options(benchmarks, given):
    """Refuse options that no metric of the benchmarks takes: they would silently change nothing.

    Raises:
        ValueError: If there is one.
    """
    taken = set()
    for protocol in {entry['protocol'] for entry in benchmarks.values()}:
        taken |= set(inspect.signature(type(metric_of(protocol, {}))).parameters)
    unused = [key for key in given if key not in taken]
    if unused:
        raise ValueError(f'{", ".join(unused)}: not an option of these protocols, which take '
                         f'{", ".join(sorted(taken))}')
