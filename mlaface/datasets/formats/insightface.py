"""InsightFace's training sets: ``train.rec``, ``train.idx``, ``property``, with and without a header record."""
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.image_record import EXACT, HEADER, unpack
from mlaface.datasets.formats.record_index import IndexedRecords

CHUNK = 1 << 16  # headers looked at in one go
LOOKED = 1 << 12  # images whose own labels are compared with those of a file beside


class TrainingTable(NamedTuple):
    """Which records are images, as places of the index, int64 (M,), and their classes, int32 (M,)."""
    places: np.ndarray
    labels: np.ndarray


def _record(records, place):
    payload = records.read_position(place)
    try:
        return unpack(payload)
    except FormatError as error:
        raise FormatError(f'{records.path}, key {records.keys[place]}: {error}') from error


def _read_headers(records, places):
    """First labels, float32 (M,), and whether a record has several labels and no image, bool (M,)."""
    labels, bare = np.empty(len(places), np.float32), np.empty(len(places), bool)
    for start in range(0, len(places), CHUNK):
        some = slice(start, start + CHUNK)
        words, length = records.words(places[some], 7)
        flag = words[:, 0].astype(np.int64)
        labels[some] = np.where(flag == 0, *words.view('<f4')[:, [1, 6]].T)
        end = HEADER.size + 4 * flag
        bare[some] = (flag >= 2) & (length == end)
        for odd in start + np.flatnonzero(length < end):  # damaged, or a magic word within the header
            record = _record(records, places[odd])
            labels[odd], bare[odd] = record.labels[0], record.flag >= 2 and not record.image
    return labels, bare


def _classes(records, places, labels):
    """Labels as class numbers, int32; ``FormatError`` names the key of one that is none."""
    wrong = ~((labels >= 0) & (labels < EXACT) & (labels == np.floor(labels)))
    if wrong.any():
        bad = int(np.argmax(wrong))
        raise FormatError(f'{records.path}, key {records.keys[places[bad]]}: label {labels[bad]} is not a class number')
    return labels.astype(np.int32)


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
    return _classes(records, places, _read_headers(records, places)[0])


def read_header(records):
    """Labels ``[E, L]`` of the header record, float32 (2,), or None: without one, every record is an image."""
    if not len(records):
        raise FormatError(f'{records.path} holds no record, or {records.index_path} names none: remove the .idx to '
                          'have it rebuilt')
    record = _record(records, 0)
    return None if records.keys[0] or record.flag < 2 or record.image else record.labels[:2]


def _labels_by_ranges(records, first, last, beyond):
    """Classes of the images at ``first .. last - 1`` by the identity records at ``last .. beyond - 1``.

    None if these do not tile the images, or disagree with the own labels of the last image of an identity or of any of
    65536 images spread over the set.
    """
    words, length = records.words(np.arange(last, beyond), 8)
    if not len(words) or (length < 32).any() or (words[:, 0] != 2).any():
        return None
    starts, stops = np.searchsorted(records.keys, words[:, 6:].view('<f4').astype(np.float64)).T
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not len(starts) or starts[0] != first or stops[-1] != last or (starts[1:] != stops[:-1]).any():
        return None
    labels = np.repeat(read_labels(records, starts), stops - starts)
    looked = np.union1d(stops - 1, np.arange(first, last, -(-(last - first) // CHUNK)))
    return labels if (labels[looked - first] == read_labels(records, looked)).all() else None


def labels_path(path):
    """The file (Path) of the labels of all images, in the order of their keys, beside a ``.rec`` without header."""
    return Path(path).with_suffix('.labels.npy')


def _labels_beside(records):
    """Classes of a set without header by the file beside it; None without one, or if it disagrees with the images."""
    path = labels_path(records.path)
    if not path.is_file():
        return None
    try:
        labels = np.load(path)
        whole = labels.dtype == np.int32 and labels.shape == (len(records),)
    except Exception:  # numpy parses the head of its files by Python's tokens
        whole = False
    looked = np.unique(np.linspace(0, len(records) - 1, LOOKED).astype(np.int64))
    if whole and (labels[looked] == read_labels(records, looked)).all():
        return labels
    warnings.warn(f'{path} does not fit {records.path}: every image\'s own label is read and believed; remove it',
                  stacklevel=3)
    return None


def read_table(records):
    """Find the images of a training set and their classes.

    The labels in the images' records are believed. Identity records save reading each of them: they are used if they
    tile the images and agree with the labels of some of every identity's. Without a header ``NAME.labels.npy`` does, if
    it agrees with some images over all of the set.

    Args:
        records (IndexedRecords): ``train.rec``.

    Returns:
        TrainingTable: Places and labels.

    Raises:
        FormatError: If there is no image, or a label is no class number.
    """
    header = read_header(records)
    if header is not None:
        first, last, beyond = np.searchsorted(records.keys, [1, *header.astype(np.float64)])
        labels = _labels_by_ranges(records, first, last, beyond)
        if labels is not None:
            return TrainingTable(np.arange(first, last), labels)
        warnings.warn(f'{records.path}: the identity records disagree with the labels of the images, or are not '
                      'there: every image\'s own label is read and believed', stacklevel=2)
    elif (labels := _labels_beside(records)) is not None:
        return TrainingTable(np.arange(len(records)), labels)
    places = np.arange(header is not None, len(records))
    labels, bare = _read_headers(records, places)
    if bare.any() and header is None:
        warnings.warn(f'{records.path}: {bare.sum()} records have several labels and no image (the first has key '
                      f'{records.keys[places[bare][0]]}): they are left out, as identity records', stacklevel=2)
    places, labels = places[~bare], labels[~bare]
    if not len(places):
        raise FormatError(f'{records.path}, as far as {records.index_path} goes, holds no image')
    return TrainingTable(places, _classes(records, places, labels))


def _is_count(word):
    return word.isascii() and word.isdecimal() and len(word) < 99 and int(word) < EXACT


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
    text = path.read_text(errors='replace')
    words = text.replace(',', ' ').split()
    if len(words) != 3 or not all(map(_is_count, words)):
        raise FormatError(f'{path}: expected one line "classes,height,width", found {text[:60]!r}. Correct or '
                          'remove it: the labels tell the number of classes')
    return tuple(map(int, words))


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
