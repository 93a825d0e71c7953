"""Faces of images that several callers sent: found in threads, embedded in batches that they share."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from mlaface.inference.finder import FaceFinder
from mlaface.inference.images import read_image
from mlaface.inference.sources import Source
from mlaface.serve.batching import Batcher
from mlaface.serve.limits import Limits
from mlaface.serve.metrics import Metrics
from mlaface.serve.refusals import RefusedError
from mlaface.serve.uploads import check_picture


class FaceService:
    """What the endpoints are made of.

    Args:
        inferencer (Inferencer): Its detector and its network are used; one thread at a time calls each.
        limits (Limits): What is refused.
        attention (callable or None): A crop uint8 (3, H, W) to maps by name, where the network has some.
        workers (int): Threads that decode, detect and align. Default 2.

    Attributes:
        metrics (Metrics): What was done.
        model (dict): As ``Inferencer.model``.
    """

    def __init__(self, inferencer, limits=None, attention=None, workers=2):
        self.inferencer, self.limits, self.attention = inferencer, limits or Limits(), attention
        self.finder = FaceFinder(inferencer.finder.detector, inferencer.network.size, 0, self.limits.pixels,
                                 inferencer.finder.turned)
        self.model = inferencer.model  # by one image: the network is warm before the first request
        self.pool, self.network_pool = ThreadPoolExecutor(workers, 'faces'), ThreadPoolExecutor(1, 'network')
        self.metrics, self._coming = Metrics(lambda: len(self.batcher)), 0
        self.batcher = Batcher(self._embed, self.network_pool, self.limits.batch, self.limits.wait,
                               lambda: self._coming, self.metrics.batches.observe)

    async def find(self, picture, aligned=False):
        """Faces of an image, the largest first, without embeddings.

        Args:
            picture (Picture): What was sent.
            aligned (bool): The image is one aligned face; nothing is detected.

        Returns:
            tuple: list[Face], and width and height of the upright image.

        Raises:
            RefusedError: If it is no image that can be read.
        """
        check_picture(picture, self.limits.pixels)
        self._coming += 1
        try:
            found = await asyncio.get_running_loop().run_in_executor(self.pool, self._find, picture, aligned)
        finally:
            self._coming -= 1
            self.batcher.nudge()
        self.metrics.faces.inc(len(found[0]))
        return found

    async def embed(self, faces):
        """Give faces their embeddings, together with those of other requests.

        Raises:
            RefusedError: If there are more than one request may have.
        """
        if len(faces) > self.limits.faces:
            raise RefusedError(f'{len(faces)} faces are more than {self.limits.faces}: send parts of the image', 422,
                               'too_many_faces')
        await self.batcher.submit(faces)

    async def one(self, picture, aligned=False, largest=True):
        """The face that an image was sent for, embedded.

        Returns:
            tuple: Face, how many the image has, and width and height of the image.

        Raises:
            RefusedError: 422 if it has none, or several and the largest was not asked for.
        """
        faces, size = await self.find(picture, aligned)
        if not faces:
            raise RefusedError(f'no face in {picture.name}: is it larger than about 20 pixels, and not far aside? '
                               'An aligned face is taken as it is with aligned=true', 422, 'no_face')
        if len(faces) > 1 and not largest:
            raise RefusedError(f'{len(faces)} faces in {picture.name}: cut out the one that is meant, or send '
                               'largest=true', 422, 'several_faces')
        await self.embed(faces[:1])
        return faces[0], len(faces), size

    async def maps(self, face):
        """Attention maps of a face by name: float (h, w) in [0, 1]; empty where the network has none."""
        if self.attention is None:
            return {}
        return await asyncio.get_running_loop().run_in_executor(self.network_pool, self.attention, face.crop)

    def decide(self, far=None, threshold=None, required=False):
        """The threshold that decides, or None, and why; see ``Inferencer.decide``.

        Raises:
            RefusedError: 422 if ``required`` and there is none, or a rate was asked for that was not calibrated.
        """
        limit, why = self.inferencer.decide(far, threshold)
        if limit is None and (required or far is not None):
            raise RefusedError(f'no threshold, send threshold=COSINE: {why}', 422, 'no_threshold')
        return limit, why

    async def close(self):
        """Finish what was begun."""
        await self.batcher.close()
        self.pool.shutdown()
        self.network_pool.shutdown()

    def _find(self, picture, aligned):
        try:
            image = read_image(picture.data, self.limits.pixels)
            (_, faces, error), = self.finder.find(Source(picture.name, lambda: image), aligned)
            if error is not None:
                raise error
        except (OSError, ValueError) as error:
            raise RefusedError(f'{picture.name}: {error}', 422, 'unreadable_image') from error
        return faces, image.shape[1::-1]

    def _embed(self, faces):
        start = time.perf_counter()
        self.inferencer.embed_faces(faces)
        self.metrics.network.observe(time.perf_counter() - start)
        return faces
