"""RFW (Wang et al. 2019): a pairs list for each of four groups, and the gap between them."""
import numpy as np

from mlaface.evaluation.protocols.images import ImageFiles, without_suffix
from mlaface.evaluation.protocols.lists import find_file, find_folder, read_fields
from mlaface.evaluation.protocols.pairs import read_lfw_pairs
from mlaface.evaluation.suites import Suite, dataset_suite

RACES = ('African', 'Asian', 'Caucasian', 'Indian')


def open_rfw(name, root):
    """RFW: lists and images as published, or ``RACE*.bin``; the gap between groups is the number."""
    root = find_folder(root, 'test')
    bins = {race: sorted(root.glob(f'{race}*.bin'))[:1] for race in RACES}
    return _from_bins(name, root, bins) if any(bins.values()) else _from_lists(name, root)


def _from_bins(name, root, bins):
    """Four ``.bin`` files as one benchmark."""
    missing = [race for race, found in bins.items() if not found]
    if missing:
        raise FileNotFoundError(f'no {missing[0]}*.bin in {root.absolute()}, and other groups have one: all four are '
                                'needed for the gap')
    suite = dataset_suite(dict(type='VerificationSets', sets={race: str(found[0].resolve())
                                                              for race, found in bins.items()}))
    groups = {race: {key: entry[key] for key in ('start', 'images', 'issame')}
              for race, entry in suite.benchmarks.items()}
    return Suite(suite.images, {name: dict(protocol='groups', start=0, images=suite.count, groups=groups, folds=10)})


def _from_lists(name, root):
    """``txts/RACE/RACE_pairs.txt`` in LFW's format and ``data/RACE``; ``RACE_lmk.txt`` aligns images that are not."""
    names, points, groups, folds = [], [], {}, 10
    for race in RACES:
        path = find_file(root, f'txts/{race}/{race}_pairs.txt', f'{race}_pairs.txt')
        listed, people, issame, folds = read_lfw_pairs(path)
        if len(issame) % folds:
            raise ValueError(f'{path}: {len(issame)} pairs do not make {folds} equal folds: the file is torn')
        groups[race] = dict(start=len(names), images=len(listed), issame=issame, subjects=people)
        names += [f'{race}/{image}' for image in listed]
        points.append(read_landmarks(path.with_name(f'{race}_lmk.txt'), listed))
    landmarks = None if any(group is None for group in points) else np.concatenate(points)
    images = ImageFiles(find_folder(root, 'data'), names, landmarks, crops=True)
    entry = dict(protocol='groups', start=0, images=len(names), groups=groups, names=images.names, folds=folds)
    return Suite(images, {name: entry})


def read_landmarks(path, names):
    """``RACE_lmk.txt``: path, a number, and x and y of five points, a line an image.

    Args:
        path (Path): The file.
        names (sequence of str): ``PERSON/IMAGE`` of each row, without suffix.

    Returns:
        ndarray (N, 5, 2) or None: None if there is no such file.

    Raises:
        ValueError: If a line has another form, or an image has no line; names it.
    """
    if not path.is_file():
        return None
    found = {}
    for number, fields in read_fields(path, (12,)):
        try:
            found['/'.join(without_suffix(fields[0]).split('/')[-2:])] = np.array(fields[2:], float).reshape(5, 2)
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: {error}') from error
    missing = [image for image in names if image not in found]
    if missing:
        raise ValueError(f'{path} has no points of {missing[0]}, which the list of pairs names ({len(missing)} such)')
    return np.stack([found[image] for image in names])
