"""AgeDB-30 (Moschoglou et al. 2017): pairs of one person's images thirty years apart."""
import re

import numpy as np

from mlaface.evaluation.functional.folds import fold_numbers
from mlaface.evaluation.protocols.lists import cell_text, find_file, find_folder, fold_order, read_fields, read_mat
from mlaface.evaluation.protocols.pairs import Pairs, pairs_suite
from mlaface.registry import PROTOCOLS


@PROTOCOLS.register_module('agedb')
class AgeDB(Pairs):
    """AgeDB-30 (Moschoglou et al. 2017): pairs of images thirty years apart."""
    name = 'agedb'
    published = dict(agedb=dict(pairs=6000, positives=3000))

    @classmethod
    def open(cls, root):
        """The published ``.mat`` of its folds, or a list of ``IMAGE IMAGE LABEL``; see the base class."""
        path = find_file(root, '**/*protocol_30_years.mat', 'pairs.txt', '*pairs*.txt', '*30*.txt')
        names, people, issame, folds = (read_splits if path.suffix == '.mat' else read_labelled_pairs)(path)
        images = find_folder(root, 'images', '03_Protocol_Images', 'AgeDB')
        return pairs_suite(cls.name, images, names, people_of(names) if people is None else people, issame, folds)


def read_splits(path):
    """``04_FINAL_protocol_30_years.mat``: ``splits``, a cell a fold with images (2, P) and labels 1 or -1.

    Args:
        path (Path): The file.

    Returns:
        tuple: File names (2P) without suffix, None (see ``people_of``), issame (P,), folds.

    Raises:
        ValueError: If it is no such file, or the folds are not equal in size.
    """
    splits, = read_mat(path, ('splits',))
    names, issame, sizes = [], [], []
    for number, split in enumerate(splits.ravel(), 1):
        try:
            pairs, labels = _record(split)[0], np.ravel(_record(split)[1])
            first, second = ([cell_text(image) for image in side] for side in pairs)
            if not len(first) == len(second) == len(labels) or not np.isin(labels, (1, 0, -1)).all():
                raise ValueError(f'{len(first)} and {len(second)} images, {len(labels)} labels')
        except (IndexError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: fold {number} is not two rows of images with a label 1 or -1 for each pair '
                             f'({error})') from error
        names += [image for pair in zip(first, second) for image in pair]
        issame += (labels == 1).tolist()
        sizes.append(len(labels))
    if len(set(sizes)) != 1:
        raise ValueError(f'{path}: the folds have {", ".join(map(str, sizes)) or "no"} pairs, and must be equal')
    return names, None, np.array(issame), len(sizes)


def read_labelled_pairs(path):
    """A pair a line, ``IMAGE IMAGE LABEL`` with 1 for one person, 0 or -1 for two.

    Folds are consecutive tenths where these hold pairs of both kinds, else as in ``fold_order``.

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


def people_of(names):
    """The people of pairs by the names of the images, ``0_MariaCallas_35_f``: number, person, age, gender.

    Returns:
        ndarray (P, 2) or None: None if an image is named otherwise.
    """
    found = [re.fullmatch(r'(?:.*/)?\d+_(.+)_\d+_[mf](?:\.\w+)?', name, re.IGNORECASE) for name in names]
    return None if not all(found) else np.array([match[1] for match in found]).reshape(-1, 2)


def _record(value):
    """The structure that lies in cells of one element each."""
    while isinstance(value, np.ndarray):
        value = value.item()
    return value
