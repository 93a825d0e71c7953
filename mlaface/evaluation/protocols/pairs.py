"""Pairs lists: LFW's format (LFW, XQLFW), an image a line (CALFW, CPLFW), and a pair a line (AgeDB-30)."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.functional.folds import fold_numbers
from mlaface.evaluation.protocols.images import ImageFiles
from mlaface.evaluation.protocols.lists import find_file, find_folder, read_fields, whole_number
from mlaface.evaluation.suites import Suite


def read_lfw_pairs(path):
    """LFW's format: a header ``folds pairs``, then ``NAME i j`` (same) or ``NAME i OTHER j`` (different).

    Args:
        path (Path): The list; the header may be absent, as in RFW.

    Returns:
        tuple: Pairs of file names ``NAME/NAME_0001`` without suffix, in the list's order, their people (P, 2), issame
        bool (P,), folds (int).

    Raises:
        ValueError: If a line has another form, or the header another count; names file and line.
    """
    rows, folds, expected = read_fields(path, (1, 2, 3, 4)), 10, None
    if len(rows[0][1]) < 3:
        number, header = rows.pop(0)
        if len(header) == 2:
            folds, of_each = (whole_number(field, path, number) for field in header)
            expected = 2 * folds * of_each
    names, people, issame = [], [], []
    for number, fields in rows:
        if len(fields) < 3:
            raise ValueError(f'{path}, line {number}: a pair has three or four fields, got {" ".join(fields)!r}')
        first, second = (fields[0], fields[1]), (fields[0] if len(fields) == 3 else fields[2], fields[-1])
        names += [f'{name}/{name}_{whole_number(count, path, number):04d}' for name, count in (first, second)]
        people.append((first[0], second[0]))
        issame.append(len(fields) == 3)
    if not issame or expected not in (None, len(issame)):
        said = '' if expected is None else f', and its first line says {expected}'
        raise ValueError(f'{path} has {len(issame)} pairs{said}: the file is torn or of another protocol')
    return names, np.array(people), np.array(issame, bool), folds


def read_flat_pairs(path):
    """CALFW's and CPLFW's format: two lines a pair, ``IMAGE token``; token 0 means different people.

    The lists hold same pairs first; folds are tenths of the same and of the different pairs together.

    Returns:
        tuple: File names (2P), people (P, 2), issame (P,), folds.

    Raises:
        ValueError: If the number of lines is odd, the two lines of a pair disagree, or a token is below zero.
    """
    rows = read_fields(path, (2,))
    if len(rows) % 2:
        raise ValueError(f'{path} names an odd number of images ({len(rows)}): two lines make a pair, so that an image '
                         'is missing or one too many')
    for (number, first), (_, second) in zip(rows[::2], rows[1::2]):
        if first[1] != second[1]:
            raise ValueError(f'{path}, line {number}: the lines of a pair have the labels {first[1]} and {second[1]}')
        if whole_number(first[1], path, number) < 0:
            raise ValueError(f'{path}, line {number}: the label is {first[1]}, and must be 0 or above')
    names = np.array([fields[0] for _, fields in rows]).reshape(-1, 2)
    issame = np.array([int(fields[1]) != 0 for _, fields in rows[::2]])
    order = fold_order(issame, 10)
    names = names[order]
    people = np.array([[Path(name).stem.rpartition('_')[0] for name in pair] for pair in names])
    return names.ravel().tolist(), people, issame[order], 10


def read_labelled_pairs(path):
    """A pair a line, ``IMAGE IMAGE LABEL`` with 1 for one person, 0 or -1 for two.

    Folds are consecutive tenths where these hold pairs of both kinds, else as in ``read_flat_pairs``.

    Returns:
        tuple: File names (2P), None (people are not known), issame (P,), folds.

    Raises:
        ValueError: If a line has another form, or a label is another; names file and line.
    """
    rows = read_fields(path, (3,))
    for number, fields in rows:
        if fields[2] not in ('1', '0', '-1'):
            raise ValueError(f'{path}, line {number}: the label is {fields[2]!r}, and must be 1 for one person, 0 or '
                             '-1 for two')
    issame = np.array([fields[2] == '1' for _, fields in rows])
    same = np.bincount(fold_numbers(len(rows), 10), issame, minlength=10)
    mixed = ((same > 0) & (same < np.bincount(fold_numbers(len(rows), 10), minlength=10))).all()
    order = np.arange(len(rows)) if mixed else fold_order(issame, 10)
    names = [name for row in order for name in rows[row][1][:2]]
    return names, None, issame[order], 10


def fold_order(issame, folds):
    """An order of pairs in which every fold has its share of same and of different pairs, each kind in its order."""
    parts = [np.array_split(np.flatnonzero(issame == kind), folds) for kind in (True, False)]
    return np.concatenate([part for fold in zip(*parts) for part in fold])


def pairs_suite(name, images_root, names, people, issame, folds):
    """A suite of one pairs benchmark on image files."""
    images = ImageFiles(images_root, names)
    entry = dict(protocol='pairs', start=0, images=len(names), issame=issame, folds=folds, names=images.names)
    if people is not None:
        entry['subjects'] = people
    return Suite(images, {name: entry})


def open_lfw(name, root):
    """LFW or XQLFW: ``pairs.txt`` (``xqlfw_pairs.txt``) and folders of people."""
    listed = read_lfw_pairs(find_file(root, f'{name}_pairs.txt', 'pairs.txt'))
    return pairs_suite(name, find_folder(root, 'images', f'{name}_aligned_112', name, 'lfw', 'lfw-deepfunneled',
                                         'lfw_funneled', 'lfw_original_imgs_min_qual0.85variant11'), *listed)


def open_flat(name, root):
    """CALFW or CPLFW: ``pairs_CALFW.txt`` and ``aligned images``."""
    listed = read_flat_pairs(find_file(root, f'pairs_{name.upper()}.txt', 'pairs*.txt'))
    return pairs_suite(name, find_folder(root, 'aligned images', 'aligned_images', 'images'), *listed)
