"""Images to aligned faces: read, detected, cut out and judged by threads that work ahead."""
from threading import Lock

import numpy as np

from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.inference.align import align, as_aligned
from mlaface.inference.detectors.base import detect_any_way_up
from mlaface.inference.face import Face
from mlaface.inference.images import MAX_PIXELS
from mlaface.inference.quality import quality
from mlaface.inference.sources import attempt, open_sources
from mlaface.utils.ahead import map_ahead
from mlaface.utils.errors import InputError


class FaceFinder:
    """Finds faces and cuts them out.

    Args:
        detector (object or None): Has ``detect(image)``, see ``detectors.base``; None where all images are aligned.
        size (tuple[int]): Height and width of a face. Default 112 x 112.
        workers (int): Threads; the detector itself is called by one at a time. Default 2.
        max_pixels (int): Larger images are refused.
        turned (bool): Images that lie on a side or on their head are turned, where the detector is not sure of a
            face as they are. Default True.
    """

    def __init__(self, detector=None, size=(112, 112), workers=2, max_pixels=MAX_PIXELS, turned=True):
        self.detector, self.size, self.workers, self.max_pixels = detector, tuple(size), workers, max_pixels
        self.turned = turned
        self._lock = Lock()

    def find(self, sources, aligned=False):
        """Faces of images, in the order of the images.

        Args:
            sources (object): What ``sources.open_sources`` takes.
            aligned (bool): The images show one aligned face each; nothing is detected.

        Yields:
            tuple: Name of the image, list[Face] without embeddings, the largest first, and the error that came in their
            place, or None.

        Raises:
            InputError: If there is no detector where one is needed, or a source cannot be opened.
        """
        if not aligned and self.detector is None:
            raise InputError('faces are to be found, and there is no detector: name one, or say that they are aligned')
        yield from map_ahead(lambda source: self._look(source, aligned), open_sources(sources, self.max_pixels),
                             self.workers)

    def largest(self, source, aligned=False):
        """The largest face of one image.

        Args:
            source (object): An image.
            aligned (bool): See ``find``.

        Returns:
            tuple: The face, and how many the image has.

        Raises:
            InputError: If there is none, the image cannot be read, or it is not one.
        """
        images = list(self.find(source, aligned))
        if len(images) != 1:
            raise InputError(f'{source} is {len(images)} images where one is asked for')
        (name, faces, error), = images
        if error is not None:
            raise error
        if not faces:
            raise InputError(f'no face in {name}: is it larger than about 20 pixels, and not far aside? An aligned '
                             'face is taken as it is by aligned (--aligned)')
        return faces[0], len(faces)

    def _look(self, source, aligned):
        name, image, error = attempt(source)
        faces = [] if error is not None else [self._whole(image)] if aligned else self._detected(image)
        for face in faces:
            face.source, face.quality = name, quality(face.crop, face.box, face.points)
        return name, sorted(faces, key=lambda face: -face.area), error

    def _detected(self, image):
        with self._lock:
            detections = detect_any_way_up(self.detector, image) if self.turned else self.detector.detect(image)
        return [Face(box, points, score, align(image, points, self.size)) for box, points, score in detections]

    def _whole(self, image):
        height, width = image.shape[:2]
        points = (TEMPLATE * (width / 112, height / 112)).astype(np.float32)
        return Face(np.float32([0, 0, width, height]), points, 1.0, as_aligned(image, self.size))
