"""What is to be evaluated: images, and the benchmarks that are made of their rows."""
from dataclasses import dataclass, field
from os.path import basename, isfile, splitext
from pathlib import Path

import numpy as np

from mlaface.evaluation.images.reading import DatasetImages
from mlaface.registry import DATASETS


@dataclass
class Suite:
    """Images and benchmarks on them.

    Args:
        images (object or None): Has ``read(rows)`` and a length; None where embeddings were computed before.
        benchmarks (dict): Name -> entry as in ``dataset.metainfo['benchmarks']``: ``protocol``, ``start``,
            ``images`` and what the protocol needs.
        embeddings (ndarray (N, D) or None): Precomputed.
        flipped (ndarray (N, D) or None): Precomputed, of the mirrored images.
        published (dict): Benchmark -> counts of the whole set, as its owners publish them.
    """
    images: object
    benchmarks: dict
    embeddings: np.ndarray | None = None
    flipped: np.ndarray | None = None
    published: dict = field(default_factory=dict)

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
    """The suite of verification sets in ``.bin`` files.

    Args:
        paths (dict or sequence of str | Path): The files, or their addresses in stores, by the names of their
            benchmarks; in a sequence each is named by its file.

    Raises:
        FileNotFoundError: If one is not there; names all that are missing.
        StoreError: If a store fails.
        ValueError: If two have one name.
    """
    files = list(map(str, paths.values() if isinstance(paths, dict) else paths))
    names = list(paths) if isinstance(paths, dict) else [splitext(basename(path))[0] for path in files]
    missing = [path for path in files if '://' not in path and not isfile(path)]
    if missing:
        raise FileNotFoundError(f'no verification set at {", ".join(missing)}; looked from {Path.cwd()}')
    if len(set(names)) < len(names):
        raise ValueError(f'two sets have one name: {", ".join(names)}')
    return dataset_suite(dict(type='VerificationSets', sets={
        name: path if '://' in path else str(Path(path).resolve()) for name, path in zip(names, files)}))
