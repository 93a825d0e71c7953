"""What the data sets share: draws, their random numbers, batched fetch, and what happens to a bad image."""
import logging

import numpy as np
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mlaface.datasets.formats.errors import DecodeError, FormatError
from mlaface.datasets.formats.jpeg import decode_face
from mlaface.registry import TRANSFORMS
from mlaface.utils.errors import InputError, UserError
from mlaface.utils.image_memory import image_memory

MASK = (1 << 64) - 1


class FaceDataset(Dataset):
    """Aligned faces, decoded one at a time into one batch.

    A draw is ``epoch * len(dataset) + index``: the random numbers of an image depend on seed, epoch and index only.

    Args:
        transforms (Sequence[dict | callable]): Applied in order to each image, see ``transforms/_base.py``.
        image_size (tuple[int, int]): Height and width that every image must have.
        on_bad_image (str): ``'stop'``, or ``'skip'``: the next good image takes its place, and it is counted.
        seed (int): Of the transforms' random numbers.
    """

    passed_over = ()  # what looks like an image and is none of the set: key, kind of fault, what is wrong
    remote = False  # whether it reads from a store, which may fail in the middle
    remedy = "on_bad_image='skip' passes over such images and counts them"

    def __init__(self, transforms=(), image_size=(112, 112), on_bad_image='stop', seed=0):
        if on_bad_image not in ('stop', 'skip'):
            raise ValueError(f"on_bad_image is {on_bad_image!r}; it must be 'stop' or 'skip'")
        self.transforms = [_transform(place, cfg) for place, cfg in enumerate(transforms)]
        self.image_size = tuple(image_size)
        self.on_bad_image = on_bad_image
        self.seed = seed
        self.bad_images = 0  # in this process
        self.allocate = image_memory  # memory of a batch; a loader's worker has its own

    def encoded(self, index):
        """Integers and encoded image of a sample; ``FormatError`` if its bytes are damaged."""
        raise NotImplementedError

    def where(self, index):
        """Where a sample lies, for messages (str)."""
        raise NotImplementedError

    def key(self, index):
        """The name of a sample within its set (str), by which lists leave it out; it stays whatever they leave out."""
        raise NotImplementedError

    def stamp(self):
        """What tells a set whose keys are numbers from others that have them too (str): its images and a checksum.

        It is of the whole set, whatever lists leave out. Where keys are names it is empty.
        """
        return ''

    def expect(self, indices):
        """Told the samples (list[int]) that are read next, of which a store can give several at once."""

    def name(self, index):
        """What a sample's file is called, without folder and ending (str); those of one identity may be alike."""
        stem, dot, ending = self.key(index).rpartition('/')[2].rpartition('.')
        return stem if dot and stem and ending.isalnum() and len(ending) < 5 else stem + dot + ending

    def further_labels(self, index):
        """Labels of a sample behind its class, float32 (K,); mostly none."""
        return np.empty(0, np.float32)

    def __iter__(self):
        """The samples of the first epoch in order; any draw is valid, so that indexing alone would never end."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, draw):
        batch = self.__getitems__([draw])
        return {key: value[0] if key == 'images' else int(value[0]) for key, value in batch.items()}

    def __getitems__(self, draws):
        """A batch.

        Args:
            draws (Sequence[int]): N draws.

        Returns:
            dict: ``images`` uint8 tensor (N, 3, H, W), in memory as they were decoded: (N, H, W, 3); and int64 arrays
            (N,).

        Raises:
            FormatError: At a damaged image, if ``on_bad_image`` is ``'stop'``; names file and key.
            StoreError: If a store fails.
        """
        images, size = self.allocate((len(draws), *self.image_size, 3)), len(self)
        places = [divmod(int(draw), size) for draw in draws]
        if self.remote:
            self.expect([index for _, index in places])
        integers = [self._sample(epoch, index, image) for (epoch, index), image in zip(places, images.numpy())]
        return dict(images=images.permute(0, 3, 1, 2),
                    **{key: np.array([numbers[key] for numbers in integers], np.int64)
                       for key in integers[0]} if integers else {})

    def _sample(self, epoch, index, out):
        """Write the image of a draw to ``out``; its integers."""
        try:
            numbers = self._decoded(index, out)
        except FormatError as error:
            index, numbers = self._replacement(index, out, error)
        if self.transforms:
            image, rng = out, image_generator(self.seed, epoch, index)
            for transform in self.transforms:
                image = transform(image, rng)
            out[:] = self._checked(image)
        return numbers

    def _checked(self, image):
        shape, dtype = getattr(image, 'shape', ''), getattr(image, 'dtype', type(image).__name__)
        if shape != (*self.image_size, 3) or dtype != np.uint8:
            names = ', '.join(type(transform).__name__ for transform in self.transforms)
            raise InputError(f'the transforms ({names}) give {f"{dtype} {shape}".rstrip()}; a sample must be uint8 '
                             f'{(*self.image_size, 3)}')
        return image

    def _decoded(self, index, out):
        numbers, data = self.encoded(index)
        try:
            decode_face(data, self.image_size, out)
            return numbers
        except DecodeError as error:
            raise DecodeError(f'{self.where(index)}: {error}. {self.remedy}') from error

    def _replacement(self, index, out, error):
        """The next good image in place of a bad one."""
        if self.on_bad_image == 'stop':
            raise error
        for _ in range(1, len(self)):
            self.bad_images += 1
            print_log(f'skipped image {self.bad_images} of this process: {error}', 'current', logging.WARNING)
            index = (index + 1) % len(self)
            try:
                return index, self._decoded(index, out)
            except FormatError as other:
                error = other
        raise error


def _transform(place, cfg):
    """A transform, or what its config makes; what is wrong with its values is said with its place and name."""
    if not isinstance(cfg, dict):
        return cfg
    try:
        return TRANSFORMS.build(cfg)
    except UserError:  # which name it
        raise
    except ValueError as error:
        kind = cfg['type']
        raise ValueError(f'transforms[{place}] {getattr(kind, "__name__", kind)}: {error}') from error


def image_generator(seed, epoch, index):
    """Random numbers of one image: a counter-based generator, so that it is made without drawing.

    Args:
        seed (int): The data set's seed.
        epoch (int): Epoch.
        index (int): Index in the data set.

    Returns:
        numpy.random.Generator: A Philox stream of its own.
    """
    key = (seed & MASK) | (epoch & MASK) << 64
    return np.random.Generator(np.random.Philox(key=key, counter=(index & MASK) << 128))
