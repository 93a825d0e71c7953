"""What is in a data set, and which of its images cannot be used?"""
import os
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.exif import orientation
from mlaface.datasets.formats.image_list import IMAGE_LIST
from mlaface.datasets.formats.jpeg import decoded_size
from mlaface.datasets.formats.parquet_set import NUMBERED
from mlaface.datasets.formats.tar_shards import INDEX, SHARDS
from mlaface.datasets.prepare.verify_set import looked
from mlaface.datasets.stores.address import is_address, store_address
from mlaface.datasets.stores.listing import list_folder
from mlaface.datasets.stores.store import RefusedError, head, list_page
from mlaface.registry import DATASETS
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.image_files import is_image

FILES = {'.rec': 'RecordFaces', '.lst': 'ListedFaces', '.tsv': 'CelebFaces', '.tar': 'TarFaces', '.mdb': 'LmdbFaces',
         '.parquet': 'ParquetFaces'}
FEW = 100  # entries of a folder that tell whether parquet files lie deeper
# what a folder in a store is, by a file that it has; None: by the endings of all files
STORED = {'train.rec': 'RecordFaces', SHARDS: 'TarFaces', 'data.mdb': 'LmdbFaces', IMAGE_LIST: None}


def open_set(path, **options):
    """Open a data set by what lies at a path.

    Args:
        path (str | Path): A ``.bin``, ``.rec``, ``.lst``, ``.tar``, ``.parquet`` or ``.tsv`` file; a folder with
            ``train.rec``, ``data.mdb``, tar or parquet files; a folder of identities, or one whose part ``train`` is.
            Or the address of such a file or folder in a store, but of no ``.tar`` file.
        options: Of the data set, as ``exclude``; pairs take none. Those of no value are left out, since not every set
            takes them.

    Returns:
        FaceDataset: The data set of that kind.

    Raises:
        MissingDataError: If it is not there.
        FormatError: If it is damaged.
        StoreError: If the store fails.
    """
    options = {name: value for name, value in options.items() if value}
    if is_address(path):
        return _open_stored(store_address(path), options)
    if not os.path.exists(path):
        raise MissingDataError(f'no set at {path}')
    path = Path(path).absolute()
    if path.is_file() and path.suffix not in (*FILES, '.bin'):
        raise FormatError(f'{path} is no set: known are folders, and files that end in {", ".join(FILES)} or .bin')
    if path.suffix == '.bin':
        return DATASETS.build(dict(type='VerificationSets', sets={path.stem: path.name}, data_root=str(path.parent)))
    return DATASETS.build(dict(type=kind_of(path), data_root=str(_identities(path)), **options))


def _open_stored(address, options):
    """A set in a store: by the ending of a file, by files that a folder has, or by what a bucket lists."""
    if address.suffix == '.bin':
        return DATASETS.build(dict(type='VerificationSets', sets={address.name.removesuffix('.bin'): address.name},
                                   data_root=address.parent))
    kind = FILES.get(address.suffix) or _stored_kind(address)
    return DATASETS.build(dict(type=kind, data_root=address, **options))


def _stored_kind(address):
    refused = ''
    for name, kind in STORED.items():
        try:
            head(address / name)
            return kind or _listed_kind(address)
        except MissingDataError:
            continue
        except RefusedError as error:  # S3 refuses what is not there to those who may not list
            refused = f' ({error})'
    if address.scheme == 's3' and not refused and list_page(address)[0]:
        return _listed_kind(address)
    raise MissingDataError(f'no set at {address}{refused}: of a store a .bin, .rec, .lst, .tsv, .mdb or .parquet '
                           f'file is read, and a folder with train.rec and its .idx, with tar shards, {SHARDS} and '
                           f'{INDEX} (mlaface data convert makes them), with data.mdb, or, behind http, '
                           f'with {IMAGE_LIST}')


def _listed_kind(address):
    return 'ParquetFaces' if np.char.endswith(list_folder(address).names, b'.parquet').any() else 'FolderFaces'


def kind_of(path):
    """Name (str) of the data set class for what lies at a path; ``InputError`` if it is two things."""
    if path.suffix in FILES:
        return FILES[path.suffix]
    if (path / 'train.rec').is_file():
        return 'RecordFaces'
    if (path / 'data.mdb').is_file():
        return 'LmdbFaces'
    for files, kind in ((path.glob('*.tar'), 'TarFaces'), (path.glob('*.parquet'), 'ParquetFaces'),
                        (path.glob('data/*.parquet'), 'ParquetFaces'), (_of_splits(path), 'ParquetFaces')):
        found = next((file for file in files if file.is_file()), None) if path.is_dir() else None
        if found is not None:
            people = [image.parent.name for image in islice(_images_of_people(path), 2)]
            if len(people) == 2:  # one folder may hold pictures of a page
                raise InputError(f'{path} has archives ({found.relative_to(path)}) and folders of images '
                                 f'({", ".join(people)}), and only one of both can be the set: move the other')
            return kind
    return 'FolderFaces'


def _of_splits(path):
    """Parquet files (Iterator[Path]) as the Hub converts sets, ``CONFIG/SPLIT/0000.parquet``, of the set or a config.

    Of millions of identities and images the first few are looked at.
    """
    within = [_few(folder) for folder in _few(path) if _is_folder(folder)]
    within += [_few(split) for config in within for split in config if _is_folder(split)]
    for entries in within:
        yield from (Path(entry.path) for entry in entries if NUMBERED.fullmatch(entry.name))


def _is_folder(entry):
    """Whether an entry of a folder is one (bool); of a file nothing is asked, and a link may lead in a circle."""
    return not entry.is_file(follow_symlinks=False) and os.path.isdir(entry)


def _few(folder):
    """The first entries (list[DirEntry]) of a folder; none where it cannot be read, which whoever lists it all says."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry for entry in islice(entries, FEW) if not entry.name.startswith('.')]
    return []


def _images_of_people(path):
    """One image (Path) of each folder directly below a path that has any."""
    for entry in path.iterdir():
        if entry.is_dir() and not entry.name.startswith('.'):
            yield from islice((file for file in entry.iterdir() if is_image(file.name)), 1)


def _identities(path):
    """The folder of identities at a path: as VGGFace2 has them, in its part ``train``, where none beside has images."""
    part = path / 'train'
    if part.is_dir() and not any(entry.is_file() for entry in part.iterdir()) and not any(_images_of_people(path)):
        return part
    return path


def describe_set(dataset):
    """One line: images and classes, or pairs."""
    benchmarks = dataset.metainfo.get('benchmarks', {})
    if benchmarks:
        same = np.concatenate([entry['issame'] for entry in benchmarks.values()])
        return (f'{len(dataset)} images ({len(set(dataset.images))} distinct), {len(same)} pairs, {same.sum()} of one '
                'person')
    counts = np.bincount(dataset.labels, minlength=dataset.num_classes)
    return (f'{len(dataset)} images, {dataset.num_classes} classes, {counts.min()} to {counts.max()} images each, '
            f'{(counts == 0).sum()} classes empty')


def decode_all(dataset, size=(112, 112), workers=2, advance=lambda count: None, kept=None):
    """Decode every image.

    Args:
        dataset (FaceDataset): The set.
        size (tuple[int, int]): Height and width that an image must have.
        workers (int): Threads.
        advance (callable): Told how many are behind it.
        kept (KeptSteps, optional): Of an earlier call with the same size.

    Returns:
        tuple[Counter, list[str], int]: Images by (height, width), what is wrong with those that cannot be used, first
        those that the set passes over, and how many are stored turned, as their Exif says.
    """
    sizes, turned = Counter(), 0
    faults = [f'{dataset.root}/{key}: {kind}: {why}' for key, kind, why in dataset.passed_over]
    for counted, more, wrong in looked(len(dataset), partial(_decode, dataset, tuple(size)), workers, advance, kept):
        sizes.update({(height, width): count for height, width, count in counted})
        turned += more
        faults += wrong
    return sizes, faults, turned


def _decode(dataset, size, part):
    """Of a part (range) height, width and number of its images, how many are stored turned, and what is wrong."""
    sizes, turned, faults = Counter(), 0, []
    dataset.expect(list(part))
    for index in part:
        try:
            data = dataset.encoded(index)[1]
            found = decoded_size(data)
        except FormatError as error:
            faults.append(f'{dataset.where(index)}: {error}')
            continue
        sizes[found] += 1
        turned += orientation(data) != 1
        if found != size:
            faults.append(f'{dataset.where(index)}: image of {found[0]}x{found[1]} pixels, expected are '
                          f'{size[0]}x{size[1]}')
    return [(*found, count) for found, count in sizes.items()], turned, faults
