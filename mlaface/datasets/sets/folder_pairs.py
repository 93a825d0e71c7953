"""A benchmark of pairs from folders of images, one folder an identity."""
import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.sets.folder_faces import FolderFaces
from mlaface.registry import DATASETS


def draw_pairs(labels, count, seed=0):
    """Pairs of images, in turn of one person and of two.

    Args:
        labels (array (N,)): Person of each image.
        count (int): Pairs at most; as many as images allow.
        seed (int): Seed.

    Returns:
        tuple[ndarray, ndarray]: Images, int (P, 2), and whether they show one person, bool (P,).
    """
    rng, labels = np.random.default_rng(seed), np.asarray(labels)
    by_person = np.argsort(labels, kind='stable')
    counts = np.unique(labels, return_counts=True)[1].astype(np.int64)
    ends = np.cumsum(counts * (counts - 1) // 2)  # pairs of one person are numbered person by person
    total = int(ends[-1])
    half = min(count // 2, total, len(labels) * (len(labels) - 1) // 2 - total)
    same = by_person[_pair_of(rng.choice(total, half, replace=False), counts, ends)]
    different = {}
    while len(different) < half:
        first, second = sorted(rng.integers(len(labels), size=2).tolist())
        if labels[first] != labels[second]:
            different[first, second] = None
    pairs = np.stack([same, np.array(list(different), int).reshape(-1, 2)], 1).reshape(-1, 2)
    return pairs, np.arange(len(pairs)) % 2 == 0


def _pair_of(numbers, counts, ends):
    """Places (P, 2), in an order by persons, of the pairs of one person that have these numbers."""
    person = np.searchsorted(ends, numbers, side='right')
    number = numbers - (ends - counts * (counts - 1) // 2)[person]
    second = ((1 + np.sqrt(1 + 8 * number)) // 2).astype(np.int64)  # the largest with second (second - 1) / 2 <= number
    pair = np.stack([number - second * (second - 1) // 2, second], 1)
    return pair + (np.cumsum(counts) - counts)[person][:, None]


@DATASETS.register_module()
class FolderPairs(FaceDataset):
    """``root/IDENTITY/IMAGE`` as pairs: those of one person, and as many of two, drawn by a seed.

    What ``FolderFaces`` is to training: held-out pictures of one's own people, tested by the protocol of LFW, with
    people known, so that intervals draw people.

    Args:
        data_root (str | dict): Folder, relative to ``MLAFACE_DATA`` (default ``data``), or its address in a store; see
            ``FolderFaces``.
        name (str): Of the benchmark. Default: the folder's.
        pairs (int): At most. Default 6000.
        folds (int): Of the protocol; fewer where there are few pairs. Default 10.
        seed (int): Of the pairs. Default 0.
        image_size (tuple[int, int]): Height and width.

    Raises:
        FileNotFoundError: If the folder is not there.
        FormatError: If its images make no pairs of both kinds in two folds.
    """

    remedy = 'Remove or replace it: a pair cannot be left out'

    def __init__(self, data_root, name=None, pairs=6000, folds=10, seed=0, image_size=(112, 112)):
        super().__init__((), image_size)
        self.faces = FolderFaces(data_root, image_size=image_size)
        self.remote = self.faces.remote
        self.rows, issame = draw_pairs(self.faces.labels, pairs, seed)
        if len(issame) < 4:
            raise FormatError(f'{self.faces.root} makes {len(issame)} pairs: it takes at least two people with two '
                              'images each')
        first = {}
        flat = self.rows.ravel().tolist()
        self.metainfo = dict(
            same_as=np.array([first.setdefault(image, row) for row, image in enumerate(flat)]),
            benchmarks={name or self.faces.root.name: dict(
                protocol='pairs', start=0, images=len(flat), issame=issame, folds=min(folds, len(issame) // 2),
                subjects=self.faces.labels[self.rows])})

    def __len__(self):
        return self.rows.size

    def expect(self, indices):
        """Told the samples (list[int]) that are read next."""
        self.faces.expect(self.rows.flat[indices].tolist())

    def key(self, index):
        """Path of a sample's image below the root (str)."""
        return self.faces.key(self.rows.flat[index])

    def where(self, index):
        """Path of a sample (str)."""
        return self.faces.where(self.rows.flat[index])

    def encoded(self, index):
        """Index and encoded image of a sample."""
        return dict(index=index), self.faces.encoded(self.rows.flat[index])[1]
