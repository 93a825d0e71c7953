"""TinyFace (Cheng, Zhu and Gong 2018): ``Testing_Set`` with three folders and two ``.mat`` lists."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.protocols.images import ImageFiles
from mlaface.evaluation.protocols.lists import find_file, find_folder
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
    from scipy.io import loadmat
    try:
        content = loadmat(path, squeeze_me=True)
        names = [str(name) for name in np.atleast_1d(content[f'{kind}_set'])]
        subjects = np.atleast_1d(content[f'{kind}_ids']).astype(np.int64)
    except (KeyError, ValueError, NotImplementedError) as error:
        raise ValueError(f'{path} is not a list of TinyFace ({kind}_set, {kind}_ids): {error}') from error
    if len(names) != len(subjects):
        raise ValueError(f'{path} has {len(names)} images and {len(subjects)} identities')
    return names, subjects


def open_tinyface(name, root):
    """The suite of TinyFace: probes, their mates, and distractors (subject -1)."""
    folder = find_folder(root, 'tinyface/Testing_Set', 'Testing_Set')
    probes, probe_subjects = read_list(find_file(folder, 'probe_img_ID_pairs.mat'), 'probe')
    mates, mate_subjects = read_list(find_file(folder, 'gallery_match_img_ID_pairs.mat'), 'gallery')
    distractors = sorted(path.name for path in Path(folder, 'Gallery_Distractor').glob('*') if path.is_file())
    if not distractors:
        raise FileNotFoundError(f'no images in {folder / "Gallery_Distractor"}')
    names = [*(f'Probe/{n}' for n in probes), *(f'Gallery_Match/{n}' for n in mates),
             *(f'Gallery_Distractor/{n}' for n in distractors)]
    gallery_subjects = np.concatenate([mate_subjects, np.full(len(distractors), -1)])
    entry = dict(protocol='retrieval', start=0, images=len(names), names=names, probe_subjects=probe_subjects,
                 gallery_subjects=gallery_subjects)
    return Suite(ImageFiles(folder, names), {name: entry})
