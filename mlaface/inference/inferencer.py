"""Faces to embeddings over any network, and two of them compared by a calibrated threshold."""
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.rows import FLIPS, fuse
from mlaface.inference.cluster import cluster_embeddings
from mlaface.inference.face import Face
from mlaface.inference.finder import FaceFinder
from mlaface.inference.images import MAX_PIXELS
from mlaface.inference.thresholds import find_thresholds, shares_below, threshold_at
from mlaface.utils.errors import InputError


class Comparison(NamedTuple):
    """Two faces compared.

    Args:
        cosine (float): Of their embeddings.
        same (bool or None): Whether it reaches the threshold; None where there is none.
        threshold (float or None): That decided.
        far (float or None): False accept rate that the threshold was calibrated for.
        reason (str): What the threshold is made of, or why there is none.
        faces (tuple[Face, Face]): The largest of each image.
        found (tuple[int, int]): How many faces each image has.
        below (dict or None): Shares of the calibration's ``different`` and ``same`` pairs whose cosine is lower.
    """
    cosine: float
    same: bool | None
    threshold: float | None
    far: float | None
    reason: str
    faces: tuple
    found: tuple
    below: dict | None = None


class Inferencer:
    """Finds, aligns, judges and embeds faces; ``mlaface.apis.FaceInferencer`` makes one of names.

    Args:
        network (Network): As ``evaluation.networks.base`` describes it.
        detector (object or None): Has ``detect(image)``, see ``detectors.base``; None where all images are aligned.
        batch_size (int): Crops of a forward pass, across images. Default 32.
        workers (int): Threads that read, detect and align ahead. Default 2.
        flip (str or None): What is done with the mirror image of a crop: ``'none'``, ``'sum'`` or ``'concat'``; None
            does as the model's thresholds were calibrated, or nothing.
        far (float): False accept rate of the threshold that decides. Default 1e-3.
        threshold (float or None): A cosine that decides in its place.
        max_pixels (int): Larger images are refused.

    Raises:
        InputError: If an argument is none; names it.

    Attributes:
        finder (FaceFinder): What comes before the network.
        calibration (dict or None): The report that thresholds are taken from, as ``mlaface calibrate`` writes it.
    """

    def __init__(self, network, detector=None, batch_size=32, workers=2, flip=None, far=1e-3, threshold=None,
                 max_pixels=MAX_PIXELS):
        if flip not in (None, *FLIPS):
            raise InputError(f'flip is one of {", ".join(FLIPS)}; got {flip!r}')
        for name, number, least in (('batch_size', batch_size, 1), ('workers', workers, 0)):
            if not isinstance(number, (int, np.integer)) or number < least:
                raise InputError(f'{name} is a whole number of at least {least}; got {number!r}')
        self.network, self.batch_size = network, batch_size
        self.finder = FaceFinder(detector, network.size, workers, max_pixels)
        self._described, self._size, self._given = network.describe(), None, threshold
        self.calibration, self._reason = find_thresholds(self._described, network.thresholds)
        if network.overridden:
            self.calibration, self._reason = None, ('its images are made otherwise than its file states, for which no '
                                                    'threshold was calibrated')
        self.far, self.flip = far, self._own_flip(flip)

    @property
    def model(self):
        """What embeddings of this inferencer belong to: ``name``, ``sha256``, ``embedding_size``, ``flip``.

        And ``input``, where images are made otherwise than the model's file states.
        """
        if self._size is None:
            self._size = self.embed(np.zeros((1, 3, *self.network.size), np.uint8)).shape[1]
        images = dict(input=self._described['input']) if self.network.overridden else {}
        return dict(name=self._described['name'], sha256=self._described['sha256'], embedding_size=self._size,
                    flip=self.flip, **images)

    def threshold(self):
        """The threshold that decides.

        Returns:
            dict or None: ``threshold`` (cosine), ``far``, ``source``; where it is None ``why_no_threshold`` says why.
        """
        return self.decide()[0]

    @property
    def why_no_threshold(self):
        """The reason (str) where ``threshold`` gives None, else None."""
        return self.decide()[1]

    def embed(self, crops):
        """Embeddings of aligned faces.

        Args:
            crops (ndarray uint8 (N, 3, H, W)): RGB.

        Returns:
            ndarray float32 (N, D): Of unit length.

        Raises:
            InputError: If the network gives zeros or what is not finite.
        """
        return self._embed(crops)[0]

    def faces(self, sources, aligned=False, skipped=None):
        """Faces of images, in the order of the images; crops of several are embedded together.

        Args:
            sources (object): What ``sources.open_sources`` takes.
            aligned (bool): The images show one aligned face each; nothing is detected.
            skipped (callable or None): Is told the name and the error of an image that cannot be read, which then has
                no faces; None raises it.

        Yields:
            tuple: Name of the image, and list[Face], the largest first.

        Raises:
            InputError, OSError: If an image cannot be read.
        """
        waiting, crops = [], 0
        for name, faces, error in self.finder.find(sources, aligned):
            if error is not None:
                if skipped is None:
                    raise error
                skipped(name, error)
            waiting.append((name, faces))
            crops += len(faces)
            if crops >= self.batch_size:
                yield from self._embedded(waiting)
                waiting, crops = [], 0
        yield from self._embedded(waiting)

    def best_face(self, source, aligned=False):
        """The largest face of an image, embedded.

        Raises:
            InputError: If there is none, or the image cannot be read.
        """
        face, _ = self.finder.largest(source, aligned)
        self.embed_faces([face])
        return face

    def compare(self, first, second, aligned=False, far=None, threshold=None):
        """Whether the largest faces of two images are one person's.

        Args:
            first (object): An image, or a ``Face`` that has an embedding.
            second (object): The same.
            aligned (bool): See ``faces``.
            far (float or None): As of the class, for this pair.
            threshold (float or None): As of the class, for this pair.

        Returns:
            Comparison: With the verdict by the threshold.

        Raises:
            InputError: If an image has no face or cannot be read.
        """
        pairs = [(image, 1) if isinstance(image, Face) else self.finder.largest(image, aligned)
                 for image in (first, second)]
        faces, found = zip(*pairs)
        self.embed_faces([face for face in faces if face.embedding is None])
        cosine = float(np.clip(np.dot(*(face.embedding.astype(np.float64) for face in faces)), -1, 1))
        below = shares_below(self.calibration, cosine, self._joined)
        limit, why = self.decide(far, threshold)
        if limit is None:
            return Comparison(cosine, None, None, None, why, faces, found, below)
        made = f'calibrated on {limit["source"]}' if limit['far'] else 'the threshold was given'
        return Comparison(cosine, cosine >= limit['threshold'], limit['threshold'], limit['far'], made, faces, found,
                          below)

    def cluster(self, sources, aligned=False, skipped=None, progress=iter):
        """The faces of images by person.

        Args:
            sources (object): What ``sources.open_sources`` takes, such as a folder.
            aligned (bool): See ``faces``.
            skipped (callable or None): See ``faces``.
            progress (callable): Gets the iterator of images and gives one of the same.

        Returns:
            list[list[Face]]: A list a person, those of most faces first.

        Raises:
            InputError: If there is no threshold to group by, or there are more faces than are clustered.
        """
        limit, why = self.decide()
        if limit is None:
            raise InputError(f'no threshold to group by, give one (--threshold): {why}')
        faces = [face for _, found in progress(self.faces(sources, aligned, skipped)) for face in found]
        groups = cluster_embeddings(np.array([face.embedding for face in faces]), limit['threshold'])
        people = [[] for _ in range(groups.max(initial=-1) + 1)]
        for face, group in zip(faces, groups):
            people[group].append(face)
        return people

    def _own_flip(self, flip):
        """What is done here with mirror images; a network that joins them by itself leaves nothing to do."""
        if self.network.flip == 'none':
            return flip or (self.calibration or {}).get('flip') or 'none'
        if flip not in (None, 'none', self.network.flip):
            raise InputError(f'{self._described["name"]} joins mirror images by itself ({self.network.flip}); it '
                             f'cannot be done by {flip} here')
        return 'none'

    @property
    def _joined(self):
        """How mirror images are joined, by the network itself or here (str)."""
        return self.flip if self.network.flip == 'none' else self.network.flip

    def decide(self, far=None, threshold=None):
        """The threshold that decides.

        Args:
            far (float or None): Take the one that was calibrated for this false accept rate; None: as of the class.
            threshold (float or None): A cosine in its place; None: as of the class.

        Returns:
            tuple: dict of ``threshold``, ``far`` and ``source``, or None; and the reason (str) for None.
        """
        given = self._given if threshold is None and far is None else threshold
        if given is not None:
            return dict(threshold=given, far=None, source='given'), None
        if self.calibration is None:
            return None, self._reason
        try:
            return threshold_at(self.calibration, self.far if far is None else far, self._joined), None
        except InputError as error:
            return None, str(error)

    def _embedded(self, waiting):
        self.embed_faces([face for _, faces in waiting for face in faces])
        return waiting

    def embed_faces(self, faces):
        """Give faces their embedding, and its ``norm`` to their quality.

        Args:
            faces (list[Face]): Whose crops are embedded, ``batch_size`` at once; they are changed.
        """
        for start in range(0, len(faces), self.batch_size):
            part = faces[start:start + self.batch_size]
            for face, embedding, norm in zip(part, *self._embed(np.stack([face.crop for face in part]))):
                face.embedding, face.quality['norm'] = embedding, float(norm)

    def _embed(self, crops):
        """Unit embeddings, and the lengths that the network gave the images themselves."""
        plain = self.network.embed(crops)
        mirrored = self.network.embed(np.ascontiguousarray(crops[..., ::-1])) if self.flip != 'none' else None
        rows = fuse(plain, mirrored, self.flip)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise InputError(f'{self._described["name"]} gave an embedding that is zero or not finite')
        return (rows / lengths).astype(np.float32), np.linalg.norm(plain.astype(np.float64), axis=1)
