"""AgeDB-30 (Moschoglou et al. 2017): pairs of one person's images thirty years apart."""
import re

import numpy as np

from mlaface.evaluation.protocols.lists import cell_text, find_file, find_folder, read_mat
from mlaface.evaluation.protocols.pairs import pairs_suite, read_labelled_pairs


def open_agedb(name, root):
    """AgeDB-30: the published ``.mat`` of its folds, or a list of ``IMAGE IMAGE LABEL``."""
    path = find_file(root, '**/*protocol_30_years.mat', 'pairs.txt', '*pairs*.txt', '*30*.txt')
    names, people, issame, folds = (read_splits if path.suffix == '.mat' else read_labelled_pairs)(path)
    images = find_folder(root, 'images', '03_Protocol_Images', 'AgeDB')
    return pairs_suite(name, images, names, people_of(names) if people is None else people, issame, folds)


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
