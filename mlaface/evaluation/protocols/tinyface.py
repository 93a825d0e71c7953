"""TinyFace (Cheng, Zhu and Gong 2018): small faces searched among many; ``Testing_Set`` with three folders."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.functional.retrieval import find_all, retrieval_entry, retrieval_metrics
from mlaface.evaluation.images.files import ImageFiles
from mlaface.evaluation.protocols.image_search import ImageSearch, labelled_pairs
from mlaface.evaluation.protocols.lists import cell_text, find_file, find_folder, read_mat
from mlaface.evaluation.results.certainty import Sample
from mlaface.evaluation.search.choice import choose_search
from mlaface.evaluation.suite import Suite
from mlaface.registry import PROTOCOLS
from mlaface.utils.image_files import is_image

EXACT = 1 << 53  # float64, which MATLAB writes numbers in, holds every integer below it


@PROTOCOLS.register_module(['tinyface', 'retrieval'])
class TinyFace(ImageSearch):
    """TinyFace (Cheng, Zhu and Gong 2018): rank-1, 5, 20 and mean average precision of small faces.

    Probes come first, then the gallery. ``compat='tinyface'`` takes average precision by trapezoids, as the benchmark's
    own code does.
    """
    name = 'tinyface'
    compats = ('tinyface',)
    published = dict(tinyface=dict(probes=3728, gallery=157871))

    @classmethod
    def open(cls, root):
        """Probes, their mates, and distractors (subject -1); see the base class."""
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
        entry = dict(protocol='retrieval', start=0, images=len(names), names=images.names,
                     probe_subjects=probe_subjects, gallery_subjects=gallery_subjects)
        return Suite(images, {cls.name: entry})

    @property
    def precision(self):
        """Rule of ``mean_average_precision``."""
        return 'trapezoid' if self.compat else 'step'

    def scores(self, embeddings, flipped, benchmark):
        """``identification.Found``; see the base class."""
        probes, names, gallery = self.split(embeddings, flipped, benchmark, 'probe_subjects')
        scan = choose_search(self.search, self.device, len(probes) * len(gallery), deep=True)
        return find_all(probes, benchmark['probe_subjects'], gallery, benchmark['gallery_subjects'], names=names,
                        scan=scan, gallery_names=benchmark['names'][len(probes):] if names else None)

    def entry(self, scores, benchmark):
        """The numbers of the search; see the base class."""
        return self.stated(retrieval_entry(scores, benchmark['gallery_subjects'], precision=self.precision))

    def sample(self, scores, benchmark):
        """See the base class."""
        return Sample('people', np.asarray(benchmark['probe_subjects']),
                      lambda weights: dict(metrics=retrieval_metrics(scores, weights=weights,
                                                                     precision=self.precision)),
                      ('metrics', 'rank', '1'), scores.ranks == 1)

    def image_pairs(self, benchmark):
        """Pairs that the labels of probes and gallery make; see the base class."""
        return labelled_pairs(np.concatenate([benchmark['probe_subjects'], benchmark['gallery_subjects']]))


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
        names, subjects = [cell_text(cell) for cell in names.ravel()], subjects.ravel().astype(np.float64)
        if not (np.abs(subjects) < EXACT).all() or (subjects != np.floor(subjects)).any():
            raise ValueError('an identity is no whole number')
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is not a list of images and numbers of people: {error}') from error
    if len(names) != len(subjects) or not names:
        raise ValueError(f'{path} has {len(names)} images and {len(subjects)} identities')
    return names, subjects.astype(np.int64)
