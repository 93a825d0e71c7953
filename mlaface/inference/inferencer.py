"""Images to faces with embeddings, over any network and any detector, and two images compared."""
from threading import Lock
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.rows import FLIPS, fuse
from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.evaluation.images.reading import map_ahead
from mlaface.inference.align import align, as_aligned
from mlaface.inference.face import Face
from mlaface.inference.images import MAX_PIXELS
from mlaface.inference.quality import quality
from mlaface.inference.sources import open_sources
from mlaface.inference.thresholds import find_thresholds, threshold_at
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
    """
    cosine: float
    same: bool | None
    threshold: float | None
    far: float | None
    reason: str
    faces: tuple
    found: tuple


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
    """

    def __init__(self, network, detector=None, batch_size=32, workers=2, flip=None, far=1e-3, threshold=None,
                 max_pixels=MAX_PIXELS):
        if flip not in (None, *FLIPS):
            raise InputError(f'flip is one of {", ".join(FLIPS)}; got {flip!r}')
        self.network, self.detector, self.batch_size, self.workers = network, detector, batch_size, workers
        self.far, self.given, self.max_pixels = far, threshold, max_pixels
        self._described, self._detecting, self._size = network.describe(), Lock(), None
        self._report, self._reason = find_thresholds(self._described)
        self.flip = flip or (self._report or {}).get('flip') or 'none'

    @property
    def model(self):
        """What embeddings of this inferencer belong to: ``name``, ``sha256``, ``embedding_size``, ``flip``."""
        if self._size is None:
            self._size = self.embed(np.zeros((1, 3, *self.network.size), np.uint8)).shape[1]
        return dict(name=self._described['name'], sha256=self._described['sha256'], embedding_size=self._size,
                    flip=self.flip)

    def threshold(self):
        """The threshold that decides: ``threshold``, ``far``, ``source``; or None, and ``why_no_threshold`` says why."""
        if self.given is not None:
            return dict(threshold=self.given, far=None, source='given')
        if self._report is None:
            return None
        try:
            return threshold_at(self._report, self.far, self.flip)
        except InputError as error:
            self._reason = str(error)
            return None

    @property
    def why_no_threshold(self):
        """The reason (str) where ``threshold`` is None."""
        return None if self.threshold() else self._reason

    def embed(self, crops):
        """Embeddings of aligned faces.

        Args:
            crops (ndarray uint8 (N, 3, H, W)): RGB.

        Returns:
            ndarray float32 (N, D): Of unit length.
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
        for name, faces, error in self.found(sources, aligned):
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

    def found(self, sources, aligned=False):
        """``faces`` before they are embedded, read ahead by threads.

        Yields:
            tuple: Name, list[Face] without embeddings, and the error that came in their place, or None.
        """
        if not aligned and self.detector is None:
            raise InputError('faces are to be found, and there is no detector: name one, or say that they are aligned')
        yield from map_ahead(lambda source: self._look(source, aligned), open_sources(sources, self.max_pixels),
                             self.workers)

    def best_face(self, source, aligned=False):
        """The largest face of an image, embedded.

        Raises:
            InputError: If there is none.
        """
        face = self._largest(source, aligned)[0]
        self._add_embeddings([face])
        return face

    def compare(self, first, second, aligned=False):
        """Whether the largest faces of two images are one person's.

        Args:
            first (object): An image, or a ``Face`` that has an embedding.
            second (object): The same.
            aligned (bool): See ``faces``.

        Returns:
            Comparison: With the verdict by the threshold.

        Raises:
            InputError: If an image has no face or cannot be read.
        """
        pairs = [(given, 1) if isinstance(given, Face) else self._largest(given, aligned) for given in (first, second)]
        faces, found = zip(*pairs)
        self._add_embeddings([face for face in faces if face.embedding is None])
        cosine = float(np.clip(np.dot(*(face.embedding.astype(np.float64) for face in faces)), -1, 1))
        limit = self.threshold()
        if limit is None:
            return Comparison(cosine, None, None, None, self.why_no_threshold, faces, found)
        return Comparison(cosine, cosine >= limit['threshold'], limit['threshold'], limit['far'],
                          f'calibrated on {limit["source"]}' if limit['far'] else 'the threshold was given', faces, found)

    def _look(self, source, aligned):
        try:
            image = source.read()
            faces = [self._whole(image)] if aligned else self._detected(image)
        except (InputError, OSError, ValueError) as error:
            return source.name, [], _named(error, source.name)
        for face in faces:
            face.source = source.name
        return source.name, sorted(faces, key=lambda face: -face.area), None

    def _detected(self, image):
        with self._detecting:
            detections = self.detector.detect(image)
        faces = [Face(box, points, score, align(image, points, self.network.size)) for box, points, score in detections]
        return [_judged(face) for face in faces]

    def _whole(self, image):
        height, width = image.shape[:2]
        points = (TEMPLATE * (width / 112, height / 112)).astype(np.float32)
        crop = as_aligned(image, self.network.size)
        return _judged(Face(np.float32([0, 0, width, height]), points, 1.0, crop))

    def _largest(self, source, aligned):
        """The largest face of the one image that a source is, and how many it has."""
        images = list(self.found(source, aligned))
        if len(images) != 1:
            raise InputError(f'{source} is {len(images)} images where one is asked for')
        (name, faces, error), = images
        if error is not None:
            raise error
        if not faces:
            raise InputError(f'no face in {name}: is it upright, and larger than about 20 pixels? An aligned face is '
                             'taken as it is by aligned (--aligned)')
        return faces[0], len(faces)

    def _embedded(self, waiting):
        self._add_embeddings([face for _, faces in waiting for face in faces])
        return waiting

    def _add_embeddings(self, faces):
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


def _judged(face):
    face.quality = quality(face.crop, face.box, face.points)
    return face


def _named(error, name):
    """An error that says which image it is about."""
    return error if name in str(error) else InputError(f'{name}: {error}')
