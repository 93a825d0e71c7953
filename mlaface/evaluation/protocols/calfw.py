"""CALFW (Zheng et al. 2017) and CPLFW (Zheng and Deng 2018): an image a line, two lines a pair."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.protocols.lists import find_file, find_folder, fold_order, read_fields, whole_number
from mlaface.evaluation.protocols.pairs import Pairs, pairs_suite
from mlaface.registry import PROTOCOLS


@PROTOCOLS.register_module('calfw')
class CALFW(Pairs):
    """Cross-Age LFW (Zheng et al. 2017): LFW's people in pairs of different ages."""
    name = 'calfw'
    published = dict(calfw=dict(pairs=6000, positives=3000))

    @classmethod
    def open(cls, root):
        """``pairs_CALFW.txt`` and ``aligned images``; see the base class."""
        listed = read_flat_pairs(find_file(root, f'pairs_{cls.name.upper()}.txt', 'pairs*.txt'))
        return pairs_suite(cls.name, find_folder(root, 'aligned images', 'aligned_images', 'images'), *listed)


@PROTOCOLS.register_module('cplfw')
class CPLFW(CALFW):
    """Cross-Pose LFW (Zheng and Deng 2018): LFW's people in pairs of different poses."""
    name = 'cplfw'
    published = dict(cplfw=dict(pairs=6000, positives=3000))


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
