"""TinyFace (Cheng, Zhu and Gong 2018): ``Testing_Set`` with three folders and two ``.mat`` lists."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.protocols.images import ImageFiles, is_image
from mlaface.evaluation.protocols.lists import cell_text, find_file, find_folder, read_mat
from mlaface.evaluation.suites import Suite


def read_list(path, kind):
    """``{gallery_match,probe}_img_ID_pairs.mat``: images and their identities.

    Args:
        path (Path): The file.
        kind (str): ``'gallery'`` or ``'probe'``, as the keys in it begin.

    Returns:
        tuple: File names (list of str), identities (N,).

    Raises:
        ValueError: If it is no such file, or counts differ.
    """
    names, subjects = read_mat(path, (f'{kind}_set', f'{kind}_ids'))
    try:
        names, subjects = [cell_text(cell) for cell in names.ravel()], subjects.ravel().astype(np.int64)
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is not a list of images and numbers of people: {error}') from error
    if len(names) != len(subjects) or not names:
        raise ValueError(f'{path} has {len(names)} images and {len(subjects)} identities')
    return names, subjects


def open_tinyface(name, root):
    """The suite of TinyFace: probes, their mates, and distractors (subject -1)."""
    folder = find_folder(root, 'tinyface/Testing_Set', 'Testing_Set')
    probes, probe_subjects = read_list(find_file(folder, 'probe_img_ID_pairs.mat'), 'probe')
    mates, mate_subjects = read_list(find_file(folder, 'gallery_match_img_ID_pairs.mat'), 'gallery')
    distractors = sorted(path.name for path in Path(folder, 'Gallery_Distractor').glob('*') if is_image(path.name))
    if not distractors:
        raise FileNotFoundError(f'no images in {folder / "Gallery_Distractor"}')
    names = [*(f'Probe/{n}' for n in probes), *(f'Gallery_Match/{n}' for n in mates),
             *(f'Gallery_Distractor/{n}' for n in distractors)]
    gallery_subjects = np.concatenate([mate_subjects, np.full(len(distractors), -1)])
    images = ImageFiles(folder, names)
    entry = dict(protocol='retrieval', start=0, images=len(names), names=images.names, probe_subjects=probe_subjects,
                 gallery_subjects=gallery_subjects)
    return Suite(images, {name: entry})
