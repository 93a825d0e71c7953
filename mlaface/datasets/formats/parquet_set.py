"""Hugging Face's image sets: parquet files with a column of images, ``struct<bytes, path>``, and one of classes.

Names of classes stand in the metadata (``ClassLabel``) or, as text, in the column. Parquet is read by row groups of
many images, each of which is read whole for one image: the last ones are kept, and random order is slow.
"""
import json
import re
from collections import OrderedDict
from pathlib import Path
from threading import Lock

import numpy as np

from mlaface.datasets.formats.archive import Archive, Numbering
from mlaface.datasets.formats.errors import FormatError
from mlaface.utils.errors import InputError
from mlaface.utils.packages import import_optional

IMAGE, LABEL = ('image', 'img', 'jpg', 'bytes'), ('label', 'labels', 'class', 'identity', 'id', 'cls')
NUMBERED = re.compile(r'[0-9]{4,}\.parquet')  # a file of a split, as the Hub converts sets
HUB = re.compile(rf'[^/]+/[^/]+/{NUMBERED.pattern}$')  # CONFIG/SPLIT/0000.parquet
KEPT = 64 << 20  # bytes of images of row groups that are kept in memory


def parquet():
    """pyarrow's module; ``MissingPackageError`` says how to get it."""
    return import_optional('pyarrow.parquet', 'a Parquet file')


def open_file(path, source=None):
    """A parquet file (``pyarrow.parquet.ParquetFile``), or what is read like one; ``FormatError`` if it is none."""
    library = parquet()
    from pyarrow import ArrowException
    try:
        return library.ParquetFile(source or path, memory_map=source is None)
    except (ArrowException, OSError) as error:
        raise FormatError(f'{path} is no whole parquet file ({" ".join(str(error).split())[:120]})') from error


def find_files(path):
    """Parquet files at a path: the file, or those of a folder's training part, or all, sorted (list[Path]).

    Raises:
        InputError: If a folder has several configurations.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    names = training_part([file.relative_to(path).as_posix() for file in sorted(path.rglob('*.parquet'))], path)
    return [path / name for name in names]


def training_part(names, where):
    """Of the files below a folder those of the training part, or all.

    Args:
        names (list[str]): Paths below the folder: ``data/train-00000-of-00002-HASH.parquet``, or, as the Hub converts
            sets, ``CONFIG/SPLIT/0000.parquet``, of which the part is ``train``, or ``partial-train`` of a large set.
        where (Path | StoreAddress): The folder, for messages.

    Returns:
        list[str]: Some of the names, in their order.

    Raises:
        InputError: If they are of several configurations.
    """
    parts = {name: name.split('/') for name in names}
    found = [name for name, (*folders, file) in parts.items() if file.startswith('train') or folders[-1:] in (
        ['train'], ['partial-train'])] or names
    configs = sorted({'/'.join(parts[name][:-2]) for name in found if HUB.search(name)})
    if configs[1:]:
        raise InputError(f'{where} has {len(configs)} configurations of a set ({", ".join(configs)}): give the folder '
                         f'of one, such as {where / configs[0]}')
    return found


def _column(schema, names, what, path):
    found = next((name for name in names if name in schema.names), None)
    if found is None:
        raise FormatError(f'{path} has no column of {what}: its columns are {", ".join(schema.names)}, and known are '
                          f'{", ".join(names)}')
    return found


def _class_names(schema, column):
    """Names that Hugging Face's metadata give the classes of a column, or None."""
    try:
        features = json.loads(schema.metadata[b'huggingface'])['info']['features']
        return tuple(map(str, features[column]['names']))
    except (KeyError, TypeError, ValueError):
        return None


class ParquetSet(Archive):
    """Images of parquet files; a key is the number of the row, in decimal.

    Args:
        path (str | Path): File or folder.

    Raises:
        FileNotFoundError: If there is no parquet file.
        FormatError: If a file is damaged, or has no images and classes.
    """

    def __init__(self, path):
        self.files = self._find(path)
        if not self.files:
            raise FileNotFoundError(f'no parquet file in {path}')
        starts, groups, sizes, columns, total = [], [], [], [], 0
        for number, name in enumerate(self.files):
            with self._to_look(name) as file:
                schema = file.schema_arrow
                self.image = _column(schema, IMAGE, 'images', name)
                label = _column(schema, LABEL, 'classes', name)
                for group in range(file.num_row_groups):
                    starts.append(total)
                    groups.append((number, group))
                    total += file.metadata.row_group(group).num_rows
                    sizes.append(file.metadata.row_group(group).total_byte_size)
                columns += self._read(name, lambda file=file, label=label: self._labels(file, label))
        if not total:
            raise FormatError(f'{path} holds no row')
        self.starts, self.groups, self.sizes = np.array(starts), groups, np.array(sizes, np.int64)
        self.kept, self.lock = OrderedDict(), Lock()
        super().__init__(path, *self._classes(columns, _class_names(schema, label), path))

    _find, _to_read, _to_look = staticmethod(find_files), staticmethod(open_file), staticmethod(open_file)

    @staticmethod
    def _labels(file, label):
        return file.read([label], use_threads=False)[label].to_pylist()

    @staticmethod
    def _classes(column, names, path):
        if any(value is None for value in column):
            raise FormatError(f'{path}: row {column.index(None)} has no class')
        if isinstance(column[0], str):
            numbers = Numbering()
            for value in column:
                numbers.add(value)
            return numbers.finish()
        table = np.array(column, np.float64).reshape(len(column), -1)
        labels = table[:, 0].astype(np.int32)
        if (labels != table[:, 0]).any() or labels.min() < 0:
            raise FormatError(f'{path}: row {int(np.argmax((labels != table[:, 0]) | (labels < 0)))} has a class that '
                              'is no whole number from 0 on')
        names = names if names and len(names) > labels.max() else tuple(map(str, range(labels.max() + 1)))
        return labels, names, table[:, 1:].astype(np.float32)

    def __getstate__(self):
        return dict(super().__getstate__(), kept=OrderedDict(), lock=None)

    def __setstate__(self, state):
        self.__dict__.update(state, lock=Lock())

    @staticmethod
    def _read(path, read):
        from pyarrow import ArrowException
        try:
            return read()
        except (ArrowException, OSError) as error:
            raise FormatError(f'{path} is damaged ({" ".join(str(error).split())[:120]})') from error

    def _group(self, number):
        """The images (list[bytes | None]) of a row group."""
        if number in self.kept:
            self.kept.move_to_end(number)
            return self.kept[number]
        file, group = self.groups[number]
        opened = self.opened(file, lambda: self._to_read(self.files[file]))
        column = self._read(self.files[file], lambda: opened.read_row_group(group, [self.image], use_threads=False)[
            self.image].to_pylist())
        images = [value.get('bytes') if isinstance(value, dict) else value for value in column]
        self.kept[number] = images
        while len(self.kept) > 1 and sum(len(image or b'') for some in self.kept.values() for image in some) > KEPT:
            self.kept.popitem(last=False)
        return images

    def read(self, place):
        """The encoded image (bytes) at a place."""
        number = int(np.searchsorted(self.starts, place, side='right')) - 1
        with self.lock:
            image = self._group(number)[place - int(self.starts[number])]
        if image is None:
            raise FormatError(f'{self.files[self.groups[number][0]]}: row {place} holds no image, but the path of one')
        return image

    def key(self, place):
        """Number of the row (str)."""
        return str(place)

    def find(self, keys):
        """Which images have one of these keys (list[str]), bool (N,)."""
        numbers = [int(key) for key in keys if key.isascii() and key.isdecimal() and len(key) < 19]
        return np.isin(np.arange(len(self)), numbers)
