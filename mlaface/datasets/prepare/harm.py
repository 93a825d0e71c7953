"""What in a set will hurt training: counts, and what to do about each."""
from collections import Counter

import numpy as np

from mlaface.datasets.prepare.measures import unusable

SHARPNESS, DARK, BRIGHT, FLAT, GREY = 20, 40, 215, 15, 3
FEW, FRONTAL = 5, 60


def marks(measures):
    """Which images are of little use, by what is measured.

    Args:
        measures (array (N,)): Records of ``measures.MEASURES``.

    Returns:
        dict[str, ndarray]: bool (N,) for ``blurred``, ``dark``, ``bright``, ``flat`` and ``grey``.
    """
    good = measures['readable']
    return dict(blurred=good & (measures['sharpness'] < SHARPNESS), dark=good & (measures['brightness'] < DARK),
                bright=good & (measures['brightness'] > BRIGHT), flat=good & (measures['contrast'] < FLAT),
                grey=good & (measures['colour'] < GREY))


def harm(measures, size, labels=None, classes=(), copies=None, poses=None):
    """What will hurt training, the gravest first.

    Args:
        measures (array (N,)): Records of ``measures.MEASURES``.
        size (tuple[int, int]): Height and width that training wants.
        labels (array (N,), optional): Class of each image.
        classes (Sequence[str]): Names of the classes.
        copies (Copies, optional): From ``duplicates.find_copies``.
        poses (ndarray (K, 3), optional): Yaw, pitch and roll of a sample, degrees; NaN where no face was found.

    Returns:
        list[dict]: ``key``, ``count``, ``what`` and ``remedy`` of each that was found.
    """
    unreadable, wrong_size = unusable(measures, size)
    found = [('unreadable', unreadable.sum(), 'images cannot be read: training stops at the first',
              "Remove them, or on_bad_image='skip'"),
             ('wrong_size', wrong_size.sum(), f'images are not {size[0]}x{size[1]}: training stops at the first',
              'Align and crop the faces: mlaface align')]
    if labels is not None:
        found += _of_classes(np.asarray(labels), classes)
    if copies is not None:
        found += _of_copies(copies, labels)
    each = marks(measures)
    found += [('blurred', each['blurred'].sum(), f'images are blurred (sharpness below {SHARPNESS})',
               'Of low resolution enlarged, or out of focus; a quality-aware margin (AdaFace, MagFace) bears them'),
              ('dark', each['dark'].sum(), f'images are dark (mean below {DARK} of 255)',
               'Look whether they are faces'),
              ('bright', each['bright'].sum(), f'images are bright (mean above {BRIGHT})',
               'Look whether they are faces'),
              ('flat', each['flat'].sum(), f'images have hardly any contrast (deviation below {FLAT})',
               'Look whether they are faces'),
              ('grey', each['grey'].sum(), 'images are grey', 'A network trained on colour alone is worse on them: '
               'mix grey images in, or leave these')]
    if poses is not None and len(poses):
        yaw = np.abs(poses[:, 0])
        found += [('no_face', np.isnan(yaw).sum(), f'of {len(poses)} images looked at show no face that a detector '
                   'finds', 'Heavy occlusion, profile, or no face: see mlaface data clean'),
                  ('profile', (yaw > FRONTAL).sum(), f'of {len(poses)} images looked at are turned by more than '
                   f'{FRONTAL} degrees', 'Alignment by five points is poor there')]
    return [dict(key=key, count=int(count), what=what, remedy=remedy) for key, count, what, remedy in found if count]


def _of_classes(labels, classes):
    counts = np.bincount(labels, minlength=len(classes))
    full = counts[counts > 0]
    folded = Counter(name.casefold() for name in classes)
    large = full > 20 * np.median(full)
    return [('case', sum(count for count in folded.values() if count > 1), 'identities have names that differ by upper '
             'and lower case alone', 'Are they one person? Some file systems make them one folder'),
            ('empty', (counts == 0).sum(), 'identities have no image: rows of the head that nothing is trained towards',
             'Remove their folders; remap_labels=True for records'),
            ('single', (full == 1).sum(), 'identities have one image: nothing pulls its like together',
             'Leave them out, or keep them knowing that they only push'),
            ('few', ((full > 1) & (full < FEW)).sum(), f'identities have 2 to {FEW - 1} images',
             'Batches that sample by identity see them more often'),
            ('long_tail', large.sum(), f'identities have more than 20 times the median of {np.median(full):g} images, '
             f'{full[large].sum() / max(full.sum(), 1):.0%} of all images', 'Cap them, or sample by identity')]


def _of_copies(copies, labels):
    rows = np.flatnonzero(copies.group >= 0)
    found = [('copies', len(rows) - len(copies.kind), 'images are copies of others in the set',
              'mlaface data dedupe writes the list to leave out')]
    if labels is not None and len(rows):
        pairs = np.unique(np.stack([copies.group[rows], np.asarray(labels)[rows]], 1), axis=0)
        across = (np.bincount(pairs[:, 0]) > 1).sum()
        found.insert(0, ('conflicts', across, 'pictures stand under several identities: each is pulled to two centres',
                         'mlaface data clean says whether the identities are one person'))
    return found
