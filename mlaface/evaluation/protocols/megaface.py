"""MegaFace's first challenge: JSON lists of its development kit, FaceScrub as probes, MegaFace as distractors."""
import json
from pathlib import Path

import numpy as np

from mlaface.evaluation.protocols.images import ImageFiles
from mlaface.evaluation.protocols.lists import find_file, find_folder
from mlaface.evaluation.suites import Suite


def read_list(path, keys):
    """A list of the development kit: ``{"path": [...], "id": [...]}``, distractors without ``id``.

    Raises:
        ValueError: If it is no such file, or counts differ.
    """
    try:
        content = json.loads(Path(path).read_text())
        columns = [content[key] for key in keys]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is not a list of the development kit with {" and ".join(keys)}: {error}') from error
    if len({len(column) for column in columns}) != 1 or not columns[0]:
        raise ValueError(f'{path}: {" and ".join(keys)} have {" and ".join(str(len(c)) for c in columns)} entries')
    return columns


def _largest(root):
    """The list with most distractors: ``megaface_features_list.json_1000000_1``."""
    found = sorted(Path(root).glob('**/megaface_features_list.json_*'), key=lambda path: int(path.name.split('_')[-2]))
    return found[-1] if found else find_file(root, '**/megaface_features_list.json*')


def open_megaface(name, root):
    """The suite of MegaFace: images of known people, each searching its mates among all distractors."""
    probes, subjects = read_list(find_file(root, '**/facescrub*features_list.json'), ('path', 'id'))
    distractors, = read_list(_largest(root), ('path',))
    first, second = find_folder(root, 'facescrub_images').name, find_folder(root, 'megaface_images').name
    names = [*(f'{first}/{path}' for path in probes), *(f'{second}/{path}' for path in distractors)]
    entry = dict(protocol='distractors', start=0, images=len(names), names=names, subjects=np.array(subjects))
    return Suite(ImageFiles(root, names), {name: entry})
