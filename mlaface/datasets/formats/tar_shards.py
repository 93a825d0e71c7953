"""WebDataset's tar shards with random access: ``index.npy`` beside them says where each image lies.

The shards are plain tar files, as ``webdataset`` reads them: ``IDENTITY/IMAGE.jpg`` and ``IDENTITY/IMAGE.cls`` with
the class in decimal. Those of other writers do without ``index.npy``, ``shards.json`` and ``.cls``: the class is then
that of ``.cls``, of a number in ``.json``, or the folder that the image is in.
"""
import json
import os
import warnings
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.archive import Archive, Numbering, key_hash, read_classes, read_json
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.tar_member import name_of, walk
from mlaface.utils.files import atomic_path, sweep

ENTRY = np.dtype([('shard', '<i4'), ('label', '<i4'), ('offset', '<i8'), ('size', '<i4'), ('head', '<i4'),
                  ('key', '<u8')])
INDEX, SHARDS, FURTHER = 'index.npy', 'shards.json', 'further.npy'
IMAGES = ('jpg', 'jpeg', 'png', 'bmp', 'webp')
LABELS = ('label', 'cls', 'class', 'id', 'labels')  # of a JSON object


def split_name(name):
    """WebDataset's key of a member and its ending: the first dot of the last part divides them.

    Args:
        name (str): Path in the tar file.

    Returns:
        tuple[str, str]: Key, and ending in lower case, without its dot.
    """
    folder, slash, file = name.removeprefix('./').rpartition('/')
    stem, _, ending = file.partition('.')
    return folder + slash + stem, ending.lower()


def _label_of(data, ending, where):
    """Labels that a ``.cls`` or ``.json`` states, as a list of numbers; None where there is none."""
    try:
        value = int(data) if ending == 'cls' else json.loads(data)
        if isinstance(value, dict):
            value = next((value[name] for name in LABELS if name in value), None)
        values = value if isinstance(value, list) else [value]
        return None if value is None or isinstance(values[0], str) else [float(value) for value in values]
    except (ValueError, TypeError, IndexError) as error:
        raise FormatError(f'{where} states no class: {error}') from error


def _members(path, number, advance):
    """Rows of the index of one shard, with the folder and the labels of each image."""
    last, row = None, None
    with open(path, 'rb') as file:
        for name, head, offset, size in walk(path, advance):
            key, ending = split_name(name)
            if key != last:
                if row and row[0]:
                    yield row
                last, row = key, [None, key, None]
            if ending.rpartition('.')[2] in IMAGES:
                if offset - head > 1 << 20 or size >= 1 << 31:
                    raise FormatError(f'{path}: {name} is no image: it has {size} bytes')
                row[0] = (number, 0, offset, size, offset - head, key_hash(key))
            elif ending in ('cls', 'json') and row[2] is None:
                file.seek(offset)
                row[2] = _label_of(file.read(size), ending, f'{path}: {name}')
    if row and row[0]:
        yield row


def _shards(paths, advance, kept):
    """Of each shard the rows of its index, the folders of its images, and the labels that they state."""
    behind, done = 0, kept.reached if kept else 0
    yield from kept.found() if kept else ()
    for number, path in enumerate(paths):
        if number >= done:
            rows, names, labels = [], [], []
            for entry, key, found in _members(path, number, lambda offset, behind=behind: advance(behind + offset)):
                rows.append(entry)
                names.append(key.rpartition('/')[0].rpartition('/')[2])
                if found:
                    labels.append(found)
            yield rows, names, labels
            if kept:
                kept.add(number + 1, [rows, names, labels])
        behind += os.stat(path).st_size


def scan_shards(paths, advance=lambda offset: None, kept=None):
    """Index tar files by a walk over all their heads.

    Args:
        paths (Sequence[Path]): The shards.
        advance (callable): Told how many bytes of all shards the walk has behind it.
        kept (KeptSteps, optional): Of an earlier call; a step is a shard.

    Returns:
        tuple[ndarray, tuple[str] | None, ndarray]: ``ENTRY`` (N,), class names if folders are the classes, and further
        labels, float32 (N, K).

    Raises:
        FormatError: If a shard is no whole tar file, none holds an image, or only some images state their class.
    """
    tables, stated, folders = [], [], Numbering()
    for rows, names, labels in _shards(paths, advance, kept):
        tables.append(np.array(list(map(tuple, rows)), ENTRY))
        for name in names:
            folders.add(name)
        stated += labels
    index = np.concatenate(tables)
    if not len(index):
        raise FormatError(f'{paths[0]}{" and the others" if len(paths) > 1 else ""}: no image in it; endings are '
                          f'{", ".join(IMAGES)}')
    if not stated:
        index['label'], classes = folders.finish()
        return index, classes, np.empty((len(index), 0), np.float32)
    if len(stated) != len(index) or len(set(map(len, stated))) > 1:
        raise FormatError(f'{paths[0]}: {len(stated)} of {len(index)} images state their class by .cls or .json, which '
                          'all must, by as many numbers, or none')
    table = np.array(stated, np.float64)
    if not ((table[:, 0] >= 0) & (table[:, 0] == np.floor(table[:, 0])) & (table[:, 0] < 1 << 31)).all():
        raise FormatError(f'{paths[0]}: a class is no whole number from 0 on')
    index['label'] = table[:, 0]
    return index, None, table[:, 1:].astype(np.float32)


def find_shards(path):
    """Tar files at a path: the file itself, or all of a folder and of its folders, sorted (list[Path])."""
    path = Path(path)
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob('*.tar') if not file.name.startswith('.'))


def write_shard_index(folder, shards, index, further=None):
    """Write what makes random access to shards: ``index.npy``, ``shards.json`` and, if there are any, further labels.

    Args:
        folder (Path): Of the shards.
        shards (Sequence[Path]): The tar files, in the order of the index' numbers.
        index (ndarray): ``ENTRY`` (N,).
        further (ndarray, optional): Labels behind the first, float32 (N, K).
    """
    arrays = {INDEX: index, **({FURTHER: further} if further is not None and further.shape[1] else {})}
    for name, array in arrays.items():
        with atomic_path(folder / name, renew=False) as temporary, open(temporary, 'wb') as file:
            np.save(file, array)
    if FURTHER not in arrays:
        (folder / FURTHER).unlink(missing_ok=True)  # of an index that was there before
    counts = np.bincount(index['shard'], minlength=len(shards)).tolist()
    listed = [dict(name=str(shard.relative_to(folder)), size=shard.stat().st_size, images=count)
              for shard, count in zip(shards, counts)]
    with atomic_path(folder / SHARDS, renew=False) as temporary:
        temporary.write_text(json.dumps(dict(schema=1, shards=listed), indent=1) + '\n')
    for name in (INDEX, FURTHER, SHARDS):
        sweep(folder, name)


class TarShards(Archive):
    """Tar shards of a folder, or one tar file.

    Args:
        path (str | Path): Folder or file.
        advance (callable): Told the byte that a walk over shards without an index has reached.

    Raises:
        FileNotFoundError: If there is no tar file.
        FormatError: If a shard is damaged.
    """

    def __init__(self, path, advance=lambda offset: None):
        path = Path(path)
        self.folder = path if path.is_dir() else path.parent
        known = self._known(path)
        self.shards = [self.folder / entry['name'] for entry in known] if known else find_shards(path)
        if not self.shards:
            raise FileNotFoundError(f'no tar file in {path}')
        further = None
        if known:
            self.index, classes = np.load(self.folder / INDEX, mmap_mode='r'), None
            if (self.folder / FURTHER).is_file():
                further = np.load(self.folder / FURTHER)
        else:
            warnings.warn(f'{path} has no {INDEX}: its heads are read, now and each time; mlaface data verify '
                          f'--write-index keeps what is found', stacklevel=2)
            self.index, classes, further = scan_shards(self.shards, advance)
        labels = np.ascontiguousarray(self.index['label'])
        super().__init__(path, labels, read_classes(self.folder, labels) if classes is None else classes, further)

    def _known(self, path):
        """Entries of ``shards.json``, if it is there and of these files."""
        file = self.folder / SHARDS
        if not path.is_dir() or not file.is_file() or not (self.folder / INDEX).is_file():
            return None
        try:
            entries = [dict(name=str(entry['name']), size=int(entry['size'])) for entry in read_json(file)['shards']]
            index = np.load(self.folder / INDEX, mmap_mode='r')
        except OSError:
            raise
        except Exception as error:  # numpy parses a head of its files by Python's tokens
            raise FormatError(f'{file}, {INDEX}: no index of shards ({" ".join(str(error).split())[:99]}). Remove both '
                              'to have them made anew by mlaface data verify --write-index') from error
        self._check_sizes(entries)
        self._check_whole(entries)
        if index.dtype != ENTRY or index.ndim != 1 or len(index) and not (
                index['shard'].min() >= 0 and index['shard'].max() < len(entries) and index['label'].min() >= 0
                and index['size'].min() >= 0 and (index['offset'] >= index['head']).all() and index['head'].min() > 0):
            raise FormatError(f'{self.folder / INDEX} is no index of these shards: remove it and {SHARDS}')
        return entries

    def _check_sizes(self, entries):
        for entry in entries:
            shard = self.folder / entry['name']
            size = shard.stat().st_size if shard.is_file() else None
            if size != entry['size']:
                raise FormatError(f'{shard} has {size} bytes, {SHARDS} says {entry["size"]}: fetch it again, or, if it '
                                  f'is right, remove {SHARDS} and {INDEX}')

    def _check_whole(self, entries):
        """Refuse tar files that came after the index; folders with an index of their own are other sets."""
        known = {self.folder / entry['name'] for entry in entries}
        further = [shard for shard in find_shards(self.folder) if shard not in known and shard.is_file() and (
            shard.parent == self.folder or not (shard.parent / SHARDS).is_file())]
        if further:
            raise FormatError(f'{further[0]}{f" and {len(further) - 1} more" if further[1:] else ""}: not in {SHARDS}, '
                              f'which was written before: mlaface data verify {self.folder} --write-index takes all '
                              'tar files in, or move it away')

    def __getstate__(self):
        state = super().__getstate__()
        return dict(state, index=None) if isinstance(self.index, np.memmap) else state

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.index is None:
            self.index = np.load(self.folder / INDEX, mmap_mode='r')

    def read(self, place):
        """The encoded image (bytes) at a place."""
        shard, _, offset, size, _, _ = self.index[place].item()
        return self.read_at(self.shards[shard], offset, size)

    def key(self, place):
        """Path in the tar file without ending (str)."""
        shard, _, offset, _, head, _ = self.index[place].item()
        return split_name(name_of(self.read_at(self.shards[shard], offset - head, head)))[0]

    def container_faults(self, kept=None):
        """Where the heads of the shards are not as ``index.npy`` has them (list[str]); a step is a shard."""
        try:
            found = scan_shards(self.shards, kept=kept)[0]
        except FormatError as error:
            return [str(error)]
        names = ['shard', 'offset', 'size', 'head', 'key']
        if len(found) != len(self.index):
            return [f'{self.path}: {len(found)} images in the shards, {len(self.index)} in {INDEX}']
        odd = np.flatnonzero(found[names] != np.asarray(self.index)[names])
        return [f'{self.shard_of(place)}: image {place} is not where {INDEX} has it' for place in odd.tolist()]

    def shard_of(self, place):
        """The tar file (Path) of an image."""
        return self.shards[int(self.index['shard'][place])]

    def find(self, keys):
        """Which images have one of these keys (list[str]), bool (N,)."""
        return np.isin(self.index['key'], np.array([key_hash(key) for key in keys], np.uint64))
