"""IJB-B and IJB-C (Whitelam et al. 2017, Maze et al. 2018) as InsightFace distributes them: templates compared 1:1.

``meta/`` holds the lists, ``loose_crop/`` the images. 1:N of the same templates is in ``ijb_search.py``.
"""
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.checks import count_repeated
from mlaface.evaluation.functional.resampling import WeightedSample
from mlaface.evaluation.functional.template_pairs import FARS, linked_people, template_scores, templates_entry
from mlaface.evaluation.images.alignment import can_align
from mlaface.evaluation.images.files import ImageFiles
from mlaface.evaluation.protocols.ijb_search import read_search
from mlaface.evaluation.protocols.image_search import SEARCH
from mlaface.evaluation.protocols.lists import find_file, find_folder, numbers_of, read_fields, read_table
from mlaface.evaluation.protocols.pooling import Pooled, first_images
from mlaface.evaluation.results.certainty import Sample
from mlaface.evaluation.search.device import arrays_on, threads
from mlaface.evaluation.suite import Suite
from mlaface.registry import PROTOCOLS


class TemplatePairs(NamedTuple):
    """Cosines float64 (P,) of the list's pairs, and the templates that were pooled."""
    cosine: np.ndarray
    templates: int


@PROTOCOLS.register_module('templates')
class Templates(Pooled):
    """Templates 1:1: TAR at FAR 1e-6 to 1e-1 over a list of pairs of templates."""
    name = 'templates'
    headline = ('auc', 'value')
    compares_images = True

    def scores(self, embeddings, flipped, benchmark):
        """``TemplatePairs``; see the base class."""
        templates = self.pool(embeddings, flipped, benchmark)
        scores = template_scores(templates, benchmark['first'], benchmark['second'], threads(self.device),
                                 arrays_on(self.device))
        return TemplatePairs(scores, len(templates.ids))

    def entry(self, scores, benchmark):
        """The numbers of 1:1; see the base class."""
        counts = dict(images=benchmark['images'], templates=scores.templates)
        return templates_entry(scores.cosine, benchmark['issame'], counts, self.rules)

    def sample(self, scores, benchmark):
        """People are those that the list's same pairs link; see the base class."""
        sample = WeightedSample(scores.cosine, benchmark['issame'], corners=self.rules.far_rule == 'strict')
        people = linked_people(benchmark['first'], benchmark['second'], benchmark['issame'])
        return Sample('people', people, lambda weights: dict(metrics=sample.rates(weights, FARS, self.rules.far_rule)),
                      ('metrics', 'tar_at_far', '1e-4'))

    def curves(self, scores, benchmark):
        """Cosines and labels of the pairs of templates; see the base class."""
        return {'': (scores.cosine, np.asarray(benchmark['issame'], bool))}

    def image_pairs(self, benchmark):
        """The first images of the list's pairs of templates; see the base class."""
        listed = np.stack([benchmark['first'], benchmark['second']], axis=1)
        return first_images(benchmark)(listed), np.asarray(benchmark['issame'], bool)

    def duplicate_pairs(self, benchmark, same_as=None):
        """Pairs of the same two templates; see the base class."""
        return count_repeated(np.stack([benchmark['first'], benchmark['second']], axis=1))


@PROTOCOLS.register_module('ijbc')
class IJBC(Templates):
    """IJB-C (Maze et al. 2018): templates 1:1, and 1:N where its lists are there."""
    name = 'ijbc'
    options = dict(Templates.options, search=SEARCH)  # of its 1:N
    published = dict(ijbc=dict(images=469_375, templates=23_124, pairs=15_658_489), ijbc_1n=dict(probes=19_593))

    @classmethod
    def open(cls, root):
        """A folder with ``meta`` and ``loose_crop``; benchmarks ``NAME`` (1:1) and ``NAME_1n``; see the base class."""
        name, meta = cls.name, find_folder(root, 'meta')
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


@PROTOCOLS.register_module('ijbb')
class IJBB(IJBC):
    """IJB-B (Whitelam et al. 2017): templates 1:1, and 1:N where its lists are there."""
    name = 'ijbb'
    published = dict(ijbb=dict(images=227_630, templates=12_115, pairs=8_010_270), ijbb_1n=dict(probes=10_270))


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
    try:
        table = np.array(numbers, np.int64)
    except OverflowError as error:
        raise ValueError(f'{path}: {max(map(max, numbers))} cannot be the number of a template or medium') from error
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
    rows = read_fields(path, (12,))
    for (number, fields), expected in zip(rows, names):
        if fields[0] != expected:
            raise ValueError(f'{path}, line {number}: names image {fields[0]}, and the list of templates {expected}')
    if len(rows) != len(names):
        raise ValueError(f'{path} has {len(rows)} images, and the list of templates {len(names)}')
    numbers = numbers_of(rows, slice(1, None), path)
    points = numbers[:, :10].reshape(-1, 5, 2)
    bad = np.flatnonzero(~(can_align(points) & np.isfinite(numbers[:, 10])))
    if len(bad):
        raise ValueError(f'{path}, line {rows[bad[0]][0]}: {names[bad[0]]} has no five different finite points and a '
                         'finite score, so that its face cannot be aligned: copy the list again from the set')
    return points, numbers[:, 10]
