"""LFW (Huang et al. 2007) and XQLFW (Knoche et al. 2021): a header, then ``NAME i j`` or ``NAME i OTHER j``."""
import numpy as np

from mlaface.evaluation.protocols.lists import find_file, find_folder, read_fields, whole_number
from mlaface.evaluation.protocols.pairs import Pairs, pairs_suite
from mlaface.registry import PROTOCOLS


@PROTOCOLS.register_module('lfw')
class LFW(Pairs):
    """Labeled Faces in the Wild (Huang et al. 2007): 6,000 pairs in ten folds."""
    name = 'lfw'
    published = dict(lfw=dict(pairs=6000, positives=3000))

    @classmethod
    def open(cls, root):
        """``pairs.txt`` (``xqlfw_pairs.txt``) and folders of people; see the base class."""
        listed = read_lfw_pairs(find_file(root, f'{cls.name}_pairs.txt', 'pairs.txt'))
        return pairs_suite(cls.name, find_folder(root, 'images', f'{cls.name}_aligned_112', cls.name, 'lfw',
                                                 'lfw-deepfunneled', 'lfw_funneled',
                                                 'lfw_original_imgs_min_qual0.85variant11'), *listed)


@PROTOCOLS.register_module('xqlfw')
class XQLFW(LFW):
    """Cross-Quality LFW (Knoche et al. 2021): LFW's people in pairs of a good and a bad image."""
    name = 'xqlfw'
    published = dict(xqlfw=dict(pairs=6000, positives=3000))


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
