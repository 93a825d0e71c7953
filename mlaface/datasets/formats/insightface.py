"""InsightFace's training sets: ``train.rec``, ``train.idx``, ``property``, with and without a header record."""
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.image_record import label_and_image, pack, unpack
from mlaface.datasets.formats.record_index import IndexedRecords
from mlaface.datasets.formats.recordio import RecordWriter

CHUNK = 1 << 16  # headers looked at in one go


class TrainingTable(NamedTuple):
    """Which records are images, as places of the index, int64 (M,), and their classes, int32 (M,)."""
    places: np.ndarray
    labels: np.ndarray


def read_labels(records, places):
    """Classes of records, from their headers alone.

    Args:
        records (IndexedRecords): The records.
        places (ndarray): Places of its index, int (M,).

    Returns:
        ndarray: int32 (M,).

    Raises:
        FormatError: If a label is no class number; names file and key.
    """
    labels = np.empty(len(places), np.float32)
    for start in range(0, len(places), CHUNK):
        some = places[start:start + CHUNK]
        words, enough = records.words(some, 0, 7)
        values = words.view('<f4')
        labels[start:start + CHUNK] = np.where(words[:, 0] == 0, values[:, 1], values[:, 6])
        for short in np.flatnonzero(~enough):
            labels[start + short] = label_and_image(records.read_position(some[short]))[0]
    wrong = ~(labels >= 0) | (labels != np.floor(labels)) | (labels > 1 << 24)
    if wrong.any():
        bad = int(np.argmax(wrong))
        raise FormatError(f'{records.path}, key {records.keys[places[bad]]}: label {labels[bad]} is not a class number')
    return labels.astype(np.int32)


def _header(records):
    """``[E, L]`` of the header record, or None: without one, every record is an image."""
    if not len(records):
        raise FormatError(f'{records.path} holds no record')
    record = unpack(records.read_position(0))
    if record.flag < 2 or record.image:
        return None
    return [int(value) for value in record.labels[:2]]


def _labels_by_ranges(records, header):
    """Classes by the identity records, or None if these do not agree with the images' own labels."""
    keys, (end, stop) = records.keys, header
    first, last, beyond = np.searchsorted(keys, [1, end, stop])
    if beyond == last:
        return None
    words, enough = records.words(np.arange(last, beyond), 0, 8)
    ranges = words[:, 6:].view('<f4').astype(np.int64)
    starts, stops = np.searchsorted(keys, ranges[:, 0]), np.searchsorted(keys, ranges[:, 1])
    filled = stops > starts
    starts, stops = starts[filled], stops[filled]
    tiled = len(starts) and starts[0] == first and stops[-1] == last and (starts[1:] == stops[:-1]).all()
    if not enough.all() or not (words[:, 0] == 2).all() or not tiled:
        return None
    labels = read_labels(records, starts)
    if (labels != read_labels(records, stops - 1)).any():
        return None
    return np.repeat(labels, stops - starts)


def read_table(records):
    """Find the images of a training set and their classes.

    The labels in the images' records are believed. Identity records save reading each of them: they are used if they
    tile the images and agree with the label of every identity's first and last image.

    Args:
        records (IndexedRecords): ``train.rec``.

    Returns:
        TrainingTable: Places and labels.

    Raises:
        FormatError: If there is no image, or a label is no class number.
    """
    header = _header(records)
    if header is None:
        places = np.arange(len(records))
        return TrainingTable(places, read_labels(records, places))
    first, last = np.searchsorted(records.keys, [1, header[0]])
    places = np.arange(first, last)
    if not len(places):
        raise FormatError(f'{records.path}: the header record says that images are keys 1 to {header[0] - 1}, and the '
                          'index has none of them')
    labels = _labels_by_ranges(records, header)
    if labels is None:
        warnings.warn(f'{records.path}: the identity records disagree with the labels of the images, or are not '
                      'there: every image\'s own label is read and believed', stacklevel=2)
        labels = read_labels(records, places)
    return TrainingTable(places, labels)


def read_property(path):
    """Read ``property``: ``classes,height,width`` in one line.

    Args:
        path (str | Path): The file.

    Returns:
        tuple[int, int, int] or None: Its numbers, or None if it is not there.

    Raises:
        FormatError: If it is not three numbers.
    """
    path = Path(path)
    if not path.exists():
        return None
    words = path.read_text().replace(',', ' ').split()
    if len(words) != 3 or not all(word.isdecimal() for word in words):
        raise FormatError(f'{path}: expected one line "classes,height,width", found {path.read_text()[:60]!r}')
    return tuple(map(int, words))


def write_training_set(folder, images, size=(112, 112), names=None):
    """Write a training set with header and identity records.

    Args:
        folder (str | Path): Gets ``train.rec``, ``train.idx``, ``property``, and ``classes.txt`` if there are names.
        images (Iterable[tuple[int, bytes]]): Label and encoded image, grouped by label, labels from 0 upwards.
        size (tuple[int, int]): Height and width, for ``property``.
        names (Sequence[str], optional): Names of the classes.

    Returns:
        tuple[int, int]: Images and classes.

    Raises:
        ValueError: If the labels are not 0, 1, 2, ... in groups.
    """
    folder = Path(folder)
    starts, key = [], 0
    with RecordWriter(folder / 'train.rec', folder / 'train.idx') as writer:
        writer.write(pack([0, 0]))
        for key, (label, image) in enumerate(images, 1):
            if label == len(starts):
                starts.append(key)
            elif label != len(starts) - 1:
                raise ValueError(f'image {key} has label {label} after label {len(starts) - 1}: the images must come '
                                 'grouped by label, and labels count up from 0')
            writer.write(pack(label, image, id=key))
        end = key + 1
        for start, stop in zip(starts, [*starts[1:], end]):
            writer.write(pack([start, stop]))
        writer.overwrite(0, pack([end, end + len(starts)]))
    (folder / 'property').write_text(f'{len(starts)},{size[0]},{size[1]}\n')
    if names is not None:
        (folder / 'classes.txt').write_text(''.join(f'{name}\n' for name in names), encoding='utf-8')
    return key, len(starts)


def open_training_set(path):
    """Open ``train.rec`` in a folder, or a ``.rec`` file.

    Args:
        path (str | Path): Folder or file.

    Returns:
        IndexedRecords: The records.

    Raises:
        FileNotFoundError: If it is not there; says where it was looked for and what is there instead.
    """
    path = Path(path)
    file = path if path.suffix == '.rec' else path / 'train.rec'
    if not file.is_file():
        folder = file.parent
        there = ', '.join(sorted(p.name for p in folder.iterdir())[:12]) if folder.is_dir() else None
        raise FileNotFoundError(f'no records at {file}: ' + (
            f'the folder {folder} does not exist' if there is None else f'{folder} holds {there or "nothing"}'))
    return IndexedRecords(file)
