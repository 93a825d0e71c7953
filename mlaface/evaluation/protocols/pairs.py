"""Pairs lists: LFW's format (LFW, XQLFW, RFW), CFP's folders of folds, and an image a line (CALFW, CPLFW)."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.protocols.images import ImageFiles
from mlaface.evaluation.protocols.lists import find_file, find_folder, read_fields, whole_number
from mlaface.evaluation.suites import Suite

RACES = ('African', 'Asian', 'Caucasian', 'Indian')


def read_lfw_pairs(path):
    """LFW's format: a header ``folds pairs``, then ``NAME i j`` (same) or ``NAME i OTHER j`` (different).

    Args:
        path (Path): The list; the header may be absent, as in RFW.

    Returns:
        tuple: Pairs of file names ``NAME/NAME_0001`` without suffix, in the list's order, their people (P, 2), issame
        bool (P,), folds (int).

    Raises:
        ValueError: If a line has another form; names file and line.
    """
    names, people, issame, folds, expected = [], [], [], 10, None
    for number, fields in read_fields(path, (1, 2, 3, 4)):
        if len(fields) < 3:
            if number != 1:
                raise ValueError(f'{path}, line {number}: a pair has three or four fields, got {" ".join(fields)!r}')
            if len(fields) == 2:
                folds, of_each = (whole_number(field, path, number) for field in fields)
                expected = 2 * folds * of_each
            continue
        first, second = (fields[0], fields[1]), (fields[0] if len(fields) == 3 else fields[2], fields[-1])
        names += [f'{name}/{name}_{whole_number(count, path, number):04d}' for name, count in (first, second)]
        people.append((first[0], second[0]))
        issame.append(len(fields) == 3)
    if not issame or expected not in (None, len(issame)):
        raise ValueError(f'{path} has {len(issame)} pairs' + (f', and its first line says {expected}: the file is torn '
                                                              'or of another protocol' if expected else ''))
    return names, np.array(people), np.array(issame, bool), folds


def read_flat_pairs(path):
    """CALFW's and CPLFW's format: two lines a pair, ``IMAGE token``; token 0 means different people.

    The lists hold same pairs first; folds are tenths of the same and of the different pairs together.

    Returns:
        tuple: File names (2P), people (P, 2), issame (P,), folds.

    Raises:
        ValueError: If the number of lines is odd, or the two lines of a pair disagree.
    """
    rows = [(number, fields) for number, fields in read_fields(path, (2,))]
    if len(rows) % 2:
        raise ValueError(f'{path} names an odd number of images ({len(rows)}): two lines make a pair')
    for (number, first), (_, second) in zip(rows[::2], rows[1::2]):
        if first[1] != second[1]:
            raise ValueError(f'{path}, line {number}: the lines of a pair have the labels {first[1]} and {second[1]}')
    names = np.array([fields[0] for _, fields in rows]).reshape(-1, 2)
    issame = np.array([whole_number(fields[1], path, number) != 0 for number, fields in rows[::2]], bool)
    order = fold_order(issame, 10)
    names = names[order]
    people = np.array([[Path(name).stem.rpartition('_')[0] for name in pair] for pair in names])
    return names.ravel().tolist(), people, issame[order], 10


def read_labelled_pairs(path):
    """A pair a line: ``IMAGE IMAGE 0|1``; folds as in ``read_flat_pairs``.

    Returns:
        tuple: File names (2P), None (people are not known), issame (P,), folds.

    Raises:
        ValueError: If a line has another form.
    """
    rows = list(read_fields(path, (3,)))
    issame = np.array([whole_number(fields[2], path, number) != 0 for number, fields in rows], bool)
    order = fold_order(issame, 10)
    names = [name for row in order for name in rows[row][1][:2]]
    return names, None, issame[order], 10


def fold_order(issame, folds):
    """An order of pairs in which every fold has its share of same and of different pairs, each kind in its order."""
    parts = [np.array_split(np.flatnonzero(issame == kind), folds) for kind in (True, False)]
    return np.concatenate([part for fold in zip(*parts) for part in fold])


def pairs_suite(name, images_root, names, people, issame, folds):
    """A suite of one pairs benchmark on image files."""
    entry = dict(protocol='pairs', start=0, images=len(names), issame=issame, folds=folds, names=names)
    if people is not None:
        entry['subjects'] = people
    return Suite(ImageFiles(images_root, names), {name: entry})


def with_suffix(root, names):
    """Names completed by the suffix of the first file that exists: ``.jpg`` or ``.png``."""
    suffix = next((s for s in ('.jpg', '.png') if names and (Path(root) / (names[0] + s)).is_file()), '.jpg')
    return [name + suffix for name in names]


def open_lfw(name, root):
    """LFW or XQLFW: ``pairs.txt`` (``xqlfw_pairs.txt``) and folders of people."""
    listed = read_lfw_pairs(find_file(root, f'{name}_pairs.txt', 'pairs.txt'))
    images = find_folder(root, 'images', name, 'lfw', f'{name}_aligned_112', 'lfw-deepfunneled')
    return pairs_suite(name, images, with_suffix(images, listed[0]), *listed[1:])


def open_flat(name, root):
    """CALFW or CPLFW: ``pairs_CALFW.txt`` and ``aligned images``."""
    listed = read_flat_pairs(find_file(root, f'pairs_{name.upper()}.txt', 'pairs*.txt'))
    return pairs_suite(name, find_folder(root, 'aligned images', 'aligned_images', 'images'), *listed)


def open_agedb(name, root):
    """AgeDB-30: ``pairs.txt`` with ``IMAGE IMAGE 0|1``, since the set itself is published as ``.bin`` only."""
    listed = read_labelled_pairs(find_file(root, 'pairs.txt', '*pairs*.txt', '*30*.txt'))
    return pairs_suite(name, find_folder(root, 'images', 'AgeDB'), *listed)


def open_cfp(name, root):
    """CFP: ``Protocol/Pair_list_{F,P}.txt``, ``Protocol/Split/{FF,FP}/NN/{same,diff}.txt``; gives cfp_ff and cfp_fp."""
    protocol = Path(root) / 'Protocol'
    files = {kind: _cfp_images(find_file(protocol, f'Pair_list_{kind}.txt')) for kind in 'FP'}
    names, benchmarks = [], {}
    for split, second in (('FF', 'F'), ('FP', 'P')):
        pairs, issame, folds = _cfp_pairs(protocol / 'Split' / split, files['F'], files[second])
        people = np.array([[Path(path).parts[-3] for path in pair] for pair in pairs])
        flat = [path for pair in pairs for path in pair]
        benchmarks[f'cfp_{split.lower()}'] = dict(protocol='pairs', start=len(names), images=len(flat), issame=issame,
                                                  folds=folds, names=flat, subjects=people)
        names += flat
    return Suite(ImageFiles(root, names), benchmarks)


def _cfp_images(path):
    """Number -> path below the set's folder; the lists write paths from their own folder, ``../Data/...``."""
    return {fields[0]: fields[1].replace('\\', '/').removeprefix('../') for _, fields in read_fields(path, (2,))}


def _cfp_pairs(split, first, second):
    """Pairs of paths, labels and the number of folds of one split."""
    folds = sorted(path for path in split.iterdir() if path.is_dir()) if split.is_dir() else []
    if not folds:
        raise FileNotFoundError(f'no folds in {split}')
    pairs, issame = [], []
    for fold in folds:
        for kind in ('same', 'diff'):
            path = fold / f'{kind}.txt'
            for number, fields in read_fields(path, (2,), ','):
                if fields[0] not in first or fields[1] not in second:
                    raise ValueError(f'{path}, line {number}: {",".join(fields)} names an image that no Pair_list has')
                pairs.append((first[fields[0]], second[fields[1]]))
                issame.append(kind == 'same')
    return pairs, np.array(issame, bool), len(folds)


def open_rfw(name, root):
    """RFW: ``txts/RACE/RACE_pairs.txt`` in LFW's format and ``data/RACE``; the gap between groups is the number."""
    names, groups, folds = [], {}, 10
    for race in RACES:
        path = find_file(root, f'txts/{race}/{race}_pairs.txt', f'{race}_pairs.txt')
        listed, people, issame, folds = read_lfw_pairs(path)
        images = find_folder(root, 'data')
        groups[race] = dict(start=len(names), images=len(listed), issame=issame, subjects=people)
        names += with_suffix(images, [f'{race}/{path}' for path in listed])
    entry = dict(protocol='groups', start=0, images=len(names), groups=groups, names=names, folds=folds)
    return Suite(ImageFiles(find_folder(root, 'data'), names), {name: entry})
