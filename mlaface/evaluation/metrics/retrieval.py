"""TinyFace and MegaFace as metrics: single images searched among distractors."""
import numpy as np

from mlaface.evaluation.certainty import Sample
from mlaface.evaluation.functional.checks import image_name
from mlaface.evaluation.functional.rows import FLIPS, ChosenRows, FusedRows, unit_rows
from mlaface.evaluation.functional.search_protocols import (
    distractors_entry,
    distractors_metrics,
    find_all,
    find_among,
    retrieval_entry,
    retrieval_metrics,
)
from mlaface.evaluation.metrics.base import EmbeddingMetric
from mlaface.evaluation.search import check_search, choose_search
from mlaface.registry import METRICS


class SearchMetric(EmbeddingMetric):
    """What the protocols on single images share: flip, and that the people of the probes are drawn for intervals.

    Args:
        flip (str): ``'sum'``, ``'concat'`` or ``'none'``: what is done with image and mirror image. Where a model
            hands over embeddings that it has fused itself, this says how it did.
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Seed of the resampling.
        device (str): Where scores are computed; the numbers are the same on all.
        search (str): ``'auto'``, ``'blocks'`` or ``'faiss'``; see ``evaluation.search``.
        compat (str or None): Whose public code's numbers to reproduce; see the class.
    """
    headline = ('rank', '1')
    compats = ()

    def __init__(self, flip='sum', bootstrap=0, seed=0, device='cpu', search='auto', compat=None):
        super().__init__(bootstrap, seed)
        if compat not in (None, *self.compats):
            raise ValueError(f'compat of the protocol {self.protocol} must be None or one of {self.compats}; got '
                             f'{compat!r}')
        self.compat = compat
        if flip not in FLIPS:
            raise ValueError(f'flip must be one of {FLIPS}; got {flip!r}')
        self.flip, self.device, self.search = flip, device, check_search(search)

    def split(self, embeddings, flipped, benchmark, subjects):
        """Fused embeddings and names of the images that have subjects, and the others' as ``FusedRows``."""
        count = len(benchmark[subjects])
        rest = FusedRows(embeddings[count:], None if flipped is None else flipped[count:], self.flip)
        return (FusedRows(embeddings, flipped, self.flip)[:count],
                benchmark['names'][:count] if 'names' in benchmark else None, rest)

    def stated(self, entry):
        """An entry whose rules say flip and compat too."""
        return dict(entry, rules=dict(flip=self.flip, norm='l2', **entry['rules'], compat=self.compat))


@METRICS.register_module()
class RetrievalMetric(SearchMetric):
    """TinyFace: probes first, then the gallery; rank-1, 5, 20 and mean average precision.

    ``compat='tinyface'`` takes average precision by trapezoids, as the benchmark's own code does.
    """
    protocol = 'retrieval'
    compats = ('tinyface',)

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


@METRICS.register_module()
class DistractorsMetric(SearchMetric):
    """MegaFace: images of known people first, then distractors; rank-1 and rank-10.

    The development kit's numbers are those without compat. ``compat='insightface'`` treats the images of its lists of
    noise as its script does: distractors are left out, and a known person's image counts as the sum of the person's
    other images (without the random 0.001 that the script adds).
    """
    protocol = 'distractors'
    compats = ('insightface',)

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


def known_noise(benchmark):
    """Which images are on InsightFace's lists of noise, bool (N,).

    Raises:
        ValueError: If the lists are not there.
    """
    if benchmark.get('noise') is None:
        raise ValueError("compat='insightface' needs the lists of noise of InsightFace's MegaFace package beside the "
                         'images: facescrub_noises.txt and megaface_noises.txt')
    return benchmark['noise']


def replace_noise(images, subjects, noise, names=None):
    """Embeddings in which a noisy image's is the sum of its person's clean ones.

    Args:
        images (ndarray (P, D)): Embeddings.
        subjects (array (P,)): Their people.
        noise (ndarray (P,)): bool.
        names (sequence of str (P,) or None): Names of images, for messages.

    Returns:
        ndarray (P, D): A copy, unit rows where they were clean.

    Raises:
        ValueError: If a person has no clean image; names one that is noisy.
    """
    codes = np.unique(subjects, return_inverse=True)[1].ravel()
    lost = np.flatnonzero(~np.isin(codes, codes[~noise]))
    if len(lost):
        raise ValueError(f'{image_name(int(lost[0]), names)} and all other images of its person are on the list of '
                         'noise: is it the list of this set?')
    images = unit_rows(images, names)
    centres = np.zeros((codes.max() + 1, images.shape[1]))
    np.add.at(centres, codes[~noise], images[~noise])
    images[noise] = centres[codes[noise]]
    return images
