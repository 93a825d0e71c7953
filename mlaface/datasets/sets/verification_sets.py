"""Pairs benchmarks from ``.bin`` files, one behind the other."""
import numpy as np

from mlaface.datasets.formats.bin_set import read_bin
from mlaface.datasets.location import missing_message, resolve_data
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.stores.address import StoreAddress, is_address, store_address
from mlaface.datasets.stores.files import local_file, local_folder
from mlaface.registry import DATASETS
from mlaface.utils.errors import MissingDataError


@DATASETS.register_module()
class VerificationSets(FaceDataset):
    """Any number of ``.bin`` sets as one data set; ``metainfo['benchmarks']`` tells which rows are whose.

    Only the encoded images are held, each distinct one once. Pairs share images: ``metainfo['same_as']`` int (N,) tells
    for each row the first one that has its image, and evaluation embeds only those.

    Args:
        sets (dict[str, str] | Sequence[str]): Name -> file or its address in a store, or names, whose files are
            ``NAME.bin``.
        data_root (str | dict): Folder of the files, relative to ``MLAFACE_DATA`` (default ``data``), or its address in
            a store: they are fetched once, into the cache.
        folds (int): Folds of the protocol.
        every (int): Keep only pairs 0, n, 2n, ... of each set; for quick looks at a long one. Default 1, all.
        image_size (tuple[int, int]): Height and width.
        on_bad_image (str): ``'stop'`` only: a benchmark without an image would be another benchmark.

    Raises:
        MissingDataError: If files are not there: names them all, where they were looked for and how to get them.
        FormatError: If a file is no verification set.
        ValueError: If no set is named, ``every`` is below one, or images are to be skipped.
    """

    remedy = 'Fetch the file again: a pair cannot be left out'

    def __init__(self, sets, data_root='', folds=10, every=1, image_size=(112, 112),
                 on_bad_image='stop'):
        super().__init__((), image_size, on_bad_image)
        if on_bad_image != 'stop':
            raise ValueError("VerificationSets takes on_bad_image='stop' only: a pair cannot be left out")
        if not isinstance(every, int) or every < 1:
            raise ValueError(f'VerificationSets: every={every!r} must be a whole number of at least 1')
        if isinstance(sets, str):
            sets = [sets]
        if not sets:
            raise ValueError('VerificationSets: sets is empty; name the benchmarks, as sets=[\'lfw\']')
        files = dict(sets) if isinstance(sets, dict) else {name: f'{name}.bin' for name in sets}
        root = resolve_data(data_root)
        if isinstance(root, StoreAddress):
            root = local_folder(root, [file for file in files.values() if not is_address(file)])
        self.files = {name: local_file(store_address(file)) if is_address(file) else root / file
                      for name, file in files.items()}
        missing = [file for file in self.files.values() if not file.is_file()]
        if missing:
            raise MissingDataError('\n'.join(missing_message(file, 'verification set') for file in missing))
        self.images, benchmarks, self.every = [], {}, every
        for name, file in self.files.items():
            found = read_bin(file)
            images = [image for pair in range(0, len(found.issame), every)
                      for image in found.images[2 * pair:2 * pair + 2]]
            benchmarks[name] = dict(protocol='pairs', start=len(self.images), images=len(images),
                                    issame=found.issame[::every], folds=folds)
            self.images += images
        first = {}
        same_as = np.array([first.setdefault(image, row) for row, image in enumerate(self.images)])
        self.metainfo = dict(benchmarks=benchmarks, same_as=same_as)
        self.starts = np.array([entry['start'] for entry in benchmarks.values()])

    @property
    def version(self):
        """What tells the files from others of their names in a store (str)."""
        return ' '.join(dict.fromkeys(file.parent.name for file in self.files.values()))

    def __len__(self):
        return len(self.images)

    def _slot(self, index):
        """Number of the set that a sample is of, and its slot there."""
        number = int(np.searchsorted(self.starts, index, side='right')) - 1
        pair, side = divmod(int(index - self.starts[number]), 2)
        return number, 2 * pair * self.every + side

    def key(self, index):
        """Name of the set and slot of a sample, ``lfw/12`` (str)."""
        number, slot = self._slot(index)
        return f'{list(self.files)[number]}/{slot}'

    def where(self, index):
        """File and slot of a sample."""
        number, slot = self._slot(index)
        return f'{list(self.files.values())[number]}, image {slot}'

    def encoded(self, index):
        """Index and encoded image of a sample."""
        return dict(index=index), self.images[index]
