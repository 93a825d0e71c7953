"""IJB-B and IJB-C as InsightFace distributes them: ``meta/`` with lists, ``loose_crop/`` with images."""
import warnings
from pathlib import Path

import numpy as np

from mlaface.evaluation.protocols.images import ImageFiles
from mlaface.evaluation.protocols.lists import find_file, find_folder, read_fields, read_text
from mlaface.evaluation.suites import Suite

GALLERIES = dict(ijbb=('S1', 'S2'), ijbc=('G1', 'G2'))


def read_table(path, columns, separator=None, skip=0, kind=np.int64):
    """Columns of numbers of a text file.

    Args:
        path (Path): The file.
        columns (tuple[int]): Which.
        separator (str or None): None is blanks.
        skip (int): Lines of header.
        kind (dtype): Of the numbers.

    Returns:
        ndarray (rows, columns): The numbers.

    Raises:
        ValueError: If a field is no number or missing, or there are none; names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # of an empty file, which is an error below
            table = np.loadtxt(path, dtype=kind, delimiter=separator, skiprows=skip, usecols=columns, ndmin=2,
                               comments=None, encoding='utf-8-sig')
    except (ValueError, IndexError) as error:
        raise ValueError(f'{path}: {error}') from error
    if not len(table):
        raise ValueError(f'{path} is empty: copy the list again from the set as it is published')
    return table


def read_media(path):
    """``ijbc_face_tid_mid.txt``: image, template and medium of each row.

    Returns:
        tuple: Names (list of str), templates (N,), media (N,).
    """
    names, numbers = [], []
    for number, fields in read_fields(path, (3,)):
        names.append(fields[0])
        try:
            numbers.append((int(fields[1]), int(fields[2])))
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: template and medium are numbers, got {fields[1:]}') from error
    table = np.array(numbers, np.int64)
    return names, table[:, 0], table[:, 1]


def read_pairs(path):
    """``ijbc_template_pair_label.txt``: two templates and 1 for one person, 0 for two, (P, 3).

    Raises:
        ValueError: If a label is neither; names its line.
    """
    pairs = read_table(path, (0, 1, 2))
    wrong = np.flatnonzero((pairs[:, 2] != 0) & (pairs[:, 2] != 1))
    if len(wrong):
        raise ValueError(f'{path}, line {wrong[0] + 1}: the label is {pairs[wrong[0], 2]}, and must be 0 or 1')
    return pairs


def read_landmarks(path, names):
    """``ijbc_name_5pts_score.txt``: five points and the detector's score of each image, in the order of the names.

    Returns:
        tuple: Points (N, 5, 2) and scores (N,).

    Raises:
        ValueError: If the file has another number of rows, names other images, or a face cannot be aligned.
    """
    listed = [fields[0] for _, fields in read_fields(path, (12,))]
    for row, (name, expected) in enumerate(zip(listed, names)):
        if name != expected:
            raise ValueError(f'{path}, line {row + 1}: names image {name}, and the list of templates {expected}')
    if len(listed) != len(names):
        raise ValueError(f'{path} has {len(listed)} images, and the list of templates {len(names)}')
    numbers = read_table(path, tuple(range(1, 12)), kind=np.float64)
    points = numbers[:, :10].reshape(-1, 5, 2)
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1) | (np.ptp(points, axis=1).max(axis=1) == 0))
    if len(bad):
        raise ValueError(f'{path}, line {bad[0] + 1}: {names[bad[0]]} has no five different finite points and a finite '
                         'score, so that its face cannot be aligned: copy the list again from the set')
    return points, numbers[:, 10]


def read_subjects(path):
    """``ijbc_1N_*.csv``: template and subject of each image, below a line of headings; a template once.

    Returns:
        tuple: Templates (T,), rising, and subjects (T,).

    Raises:
        ValueError: If a template has two subjects.
    """
    headed = not read_text(path).partition(',')[0].strip().isdigit()
    pairs = np.unique(read_table(path, (0, 1), ',', skip=int(headed)), axis=0)
    doubled = pairs[1:, 0][pairs[1:, 0] == pairs[:-1, 0]]
    if len(doubled):
        raise ValueError(f'{path}: template {doubled[0]} has two subjects')
    return pairs[:, 0], pairs[:, 1]


def open_ijb(name, root):
    """The suite of IJB-B or IJB-C: 1:1, and 1:N where its lists are there.

    Args:
        name (str): ``'ijbb'`` or ``'ijbc'``.
        root (str | Path): Folder with ``meta`` and ``loose_crop``.

    Returns:
        Suite: Benchmarks ``NAME`` (1:1) and ``NAME_1n``.
    """
    meta = find_folder(root, 'meta')
    names, templates, media = read_media(find_file(meta, f'{name}_face_tid_mid.txt'))
    points, quality = read_landmarks(find_file(meta, f'{name}_name_5pts_score.txt'), names)
    pairs = read_pairs(find_file(meta, f'{name}_template_pair_label.txt'))
    images = ImageFiles(find_folder(root, 'loose_crop', 'images'), names, points)
    shared = dict(start=0, images=len(names), names=images.names, templates=templates, media=media, quality=quality)
    benchmarks = {name: dict(shared, protocol='templates', first=pairs[:, 0], second=pairs[:, 1],
                             issame=pairs[:, 2] == 1)}
    if any(Path(meta).glob(f'{name}_1N_*.csv')):
        benchmarks[f'{name}_1n'] = dict(shared, protocol='identification', **read_search(meta, name))
    return Suite(images, benchmarks)


def read_search(meta, name):
    """Galleries and probes of 1:N.

    Args:
        meta (Path): Folder of the lists.
        name (str): ``'ijbb'`` or ``'ijbc'``.

    Returns:
        dict: ``galleries``, name -> (templates, subjects), and ``probes`` (templates, subjects).

    Raises:
        ValueError: If a probe's subject is in no gallery; names the template.
    """
    galleries = {gallery: read_subjects(find_file(meta, f'{name}_1N_gallery_{gallery}.csv'))
                 for gallery in GALLERIES[name]}
    path = find_file(meta, f'{name}_1N_probe_mixed.csv')
    templates, subjects = read_subjects(path)
    lost = np.flatnonzero(~np.isin(subjects, np.concatenate([known for _, known in galleries.values()])))
    if len(lost):
        raise ValueError(f'{path}: subject {subjects[lost[0]]} of probe template {templates[lost[0]]} is in no gallery '
                         f'({", ".join(galleries)}; {len(lost)} such): a list is torn or of another set')
    return dict(galleries=galleries, probes=(templates, subjects))
