"""MegaFace's first challenge (Kemelmacher-Shlizerman et al. 2016): FaceScrub's people among a million distractors."""
import re
from pathlib import Path

import numpy as np

from mlaface.evaluation.functional.distractors import (
    distractors_entry,
    distractors_metrics,
    find_among,
    replace_noise,
)
from mlaface.evaluation.functional.rows import ChosenRows
from mlaface.evaluation.images.files import ImageFiles
from mlaface.evaluation.protocols.image_search import ImageSearch, labelled_pairs
from mlaface.evaluation.protocols.lists import find_file
from mlaface.evaluation.results.certainty import Sample
from mlaface.evaluation.search.choice import choose_search
from mlaface.evaluation.suite import Suite
from mlaface.registry import PROTOCOLS
from mlaface.utils.texts import read_json, read_text


@PROTOCOLS.register_module(['megaface', 'distractors'])
class MegaFace(ImageSearch):
    """MegaFace (Kemelmacher-Shlizerman et al. 2016): rank-1 and rank-10 among a million distractors.

    Images of known people come first, then distractors. The development kit's numbers are those without compat.
    ``compat='insightface'`` treats the images of its lists of noise as its script does: distractors are left out, and a
    known person's image counts as the sum of the person's other images (without the random 0.001 that the script adds).
    """
    name = 'megaface'
    compats = ('insightface',)
    published = dict(megaface=dict(distractors=1_000_000))

    @classmethod
    def open(cls, root):
        """The development kit's JSON lists and two folders of images; see the base class."""
        path = find_file(root, 'devkit/**/facescrub*features_list.json', '**/facescrub*features_list.json')
        probes, subjects = read_list(path, ('path', 'id'))
        distractors, = read_list(_largest(root), ('path',))
        first = _folder(root, 'facescrub_images', 'facescrub_aligned')
        second = _folder(root, 'megaface_images', 'FlickrFinal2')
        names = [*(f'{first}/{path}' for path in probes), *(f'{second}/{path}' for path in distractors)]
        images = ImageFiles(root, names)
        entry = dict(protocol='distractors', start=0, images=len(images), names=images.names,
                     subjects=np.array(subjects), noise=read_noise(root, probes, distractors))
        return Suite(images, {cls.name: entry})

    def scores(self, embeddings, flipped, benchmark):
        """``identification.Found`` with a column a mate; see the base class."""
        images, names, distractors = self.split(embeddings, flipped, benchmark, 'subjects')
        others = benchmark['names'][len(images):] if names else None
        if self.compat:
            noise = known_noise(benchmark)
            images = replace_noise(images, benchmark['subjects'], noise[:len(images)], names)
            kept = np.flatnonzero(~noise[len(images):])
            distractors, others = ChosenRows(distractors, kept), others and [others[row] for row in kept]
        scan = choose_search(self.search, self.device, len(images) * len(distractors))
        return find_among(images, benchmark['subjects'], distractors, names=names, scan=scan, distractor_names=others)

    def entry(self, scores, benchmark):
        """The numbers of the search; see the base class."""
        known = len(benchmark['subjects'])
        left_out = int(known_noise(benchmark)[known:].sum()) if self.compat else 0
        return self.stated(distractors_entry(scores, known, benchmark['images'] - known - left_out))

    def sample(self, scores, benchmark):
        """See the base class."""
        return Sample('people', np.asarray(benchmark['subjects']),
                      lambda weights: dict(metrics=distractors_metrics(scores, weights=weights)),
                      ('metrics', 'rank', '1'), scores.above[np.isfinite(scores.scores)] == 0)

    def image_pairs(self, benchmark):
        """Pairs that the labels of known people make; see the base class."""
        return labelled_pairs(benchmark['subjects'])


def known_noise(benchmark):
    """Which images are on InsightFace's lists of noise, bool (N,).

    Raises:
        ValueError: If the lists are not there.
    """
    if benchmark.get('noise') is None:
        raise ValueError("compat='insightface' needs the lists of noise of InsightFace's MegaFace package beside the "
                         'images: facescrub_noises.txt and megaface_noises.txt')
    return benchmark['noise']


def read_list(path, keys):
    """A list of the development kit: ``{"path": [...], "id": [...]}``, distractors without ``id``.

    Raises:
        ValueError: If it is no such file, counts differ, or a column mixes numbers and texts.
    """
    try:
        content = read_json(path)
        columns = [list(content[key]) for key in keys]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is not a list of the development kit with {" and ".join(keys)}: {error}') from error
    if len({len(column) for column in columns}) != 1 or not columns[0]:
        raise ValueError(f'{path}: {" and ".join(keys)} have {" and ".join(str(len(c)) for c in columns)} entries')
    for key, column in zip(keys, columns):
        kinds = sorted({type(value).__name__ for value in column})
        if not {'str', 'int'} & set(kinds) or key == 'path' and kinds != ['str']:
            raise ValueError(f'{path}: {key} holds {" and ".join(kinds)}, and must be a list of '
                             f'{"texts" if key == "path" else "texts or whole numbers"}')
        if len(kinds) > 1:
            raise ValueError(f'{path}: {key} mixes {" and ".join(kinds)}, and 1 may or may not be "1": write all of '
                             'one kind')
    return columns


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


def _largest(root):
    """The list with most distractors, ``megaface_features_list.json_1000000_1``, and of those the first set."""
    name, sizes = 'megaface_features_list.json_*', {}
    for path in [*Path(root).glob(f'devkit/**/{name}')] or Path(root).glob(f'**/{name}'):
        match = re.search(r'json_(\d+)_(\d+)$', path.name)
        if match:
            sizes[path] = int(match[1]), -int(match[2])
    return max(sizes, key=sizes.get) if sizes else find_file(root, '**/megaface_features_list.json*')


def _folder(root, *names):
    """The name of the first of several folders that is there, else the first name."""
    return next((name for name in names if Path(root, name).is_dir()), names[0])
