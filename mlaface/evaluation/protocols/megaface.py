"""MegaFace's first challenge: JSON lists of its development kit, FaceScrub as probes, MegaFace as distractors."""
import json
import re
from pathlib import Path

import numpy as np

from mlaface.evaluation.protocols.images import ImageFiles
from mlaface.evaluation.protocols.lists import find_file, read_text
from mlaface.evaluation.suites import Suite


def read_list(path, keys):
    """A list of the development kit: ``{"path": [...], "id": [...]}``, distractors without ``id``.

    Raises:
        ValueError: If it is no such file, counts differ, or a column mixes numbers and texts.
    """
    try:
        content = json.loads(read_text(path))
        columns = [list(content[key]) for key in keys]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is not a list of the development kit with {" and ".join(keys)}: {error}') from error
    if len({len(column) for column in columns}) != 1 or not columns[0]:
        raise ValueError(f'{path}: {" and ".join(keys)} have {" and ".join(str(len(c)) for c in columns)} entries')
    for key, column in zip(keys, columns):
        kinds = sorted({type(value).__name__ for value in column})
        if len(kinds) > 1:
            raise ValueError(f'{path}: {key} mixes {" and ".join(kinds)}, and 1 may or may not be "1": write all of '
                             'one kind')
    return columns


def _largest(root):
    """The list with most distractors, ``megaface_features_list.json_1000000_1``, and of those the first set."""
    name, sizes = 'megaface_features_list.json_*', {}
    for path in [*Path(root).glob(f'devkit/**/{name}')] or Path(root).glob(f'**/{name}'):
        match = re.search(r'json_(\d+)_(\d+)$', path.name)
        if match:
            sizes[path] = int(match[1]), -int(match[2])
    return max(sizes, key=sizes.get) if sizes else find_file(root, '**/megaface_features_list.json*')


def open_megaface(name, root):
    """The suite of MegaFace: images of known people, each searching its mates among all distractors."""
    path = find_file(root, 'devkit/**/facescrub*features_list.json', '**/facescrub*features_list.json')
    probes, subjects = read_list(path, ('path', 'id'))
    distractors, = read_list(_largest(root), ('path',))
    first, second = _folder(root, 'facescrub_images', 'facescrub_aligned'), _folder(root, 'megaface_images',
                                                                                    'FlickrFinal2')
    images = ImageFiles(root, [*(f'{first}/{path}' for path in probes), *(f'{second}/{path}' for path in distractors)])
    entry = dict(protocol='distractors', start=0, images=len(images), names=images.names, subjects=np.array(subjects),
                 noise=read_noise(root, probes, distractors))
    return Suite(images, {name: entry})


def read_noise(root, probes, distractors):
    """InsightFace's lists of wrong images: ``facescrub_noises.txt`` by file name, ``megaface_noises.txt`` by path.

    Args:
        root (str | Path): Folder of the set.
        probes (sequence of str): Images of known people.
        distractors (sequence of str): Other images.

    Returns:
        ndarray or None: bool, for all images; None if a list is not there.
    """
    lists = [next(iter(sorted(Path(root).glob(f'**/{name}_noises.txt'))), None) for name in ('facescrub', 'megaface')]
    if None in lists:
        return None
    faces, others = ({line.strip().split('\t')[-1] for line in read_text(path).splitlines()
                      if line.strip() and not line.startswith('#')} for path in lists)
    return np.array([*(Path(path).name in faces for path in probes),
                     *('/'.join(Path(path).parts[-3:]) in others for path in distractors)], bool)


def _folder(root, *names):
    """The name of the first of several folders that is there, else the first name."""
    return next((name for name in names if Path(root, name).is_dir()), names[0])
