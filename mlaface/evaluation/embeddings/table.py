"""Embeddings by index: filled batch by batch, merged over ranks, complete or an error."""
import numpy as np


class EmbeddingTable:
    """One array with a row for each image, whoever embedded it.

    Ranks are merged by a sum of arrays that are zero where a rank has nothing: x + 0 is x, so the numbers do not
    depend on how the images were dealt out, and nothing is pickled.

    Args:
        images (int): Images there are.
        same_as (int array (N,) or None): For each row the first one that has its image; only those must be added, the
            others are filled in by ``gather``. None: all images are distinct.
    """

    def __init__(self, images, same_as=None):
        self.images, self.same_as = images, same_as
        self.counts = np.zeros(images, np.int32)
        self.arrays = {}

    @classmethod
    def of(cls, embeddings, flipped=None):
        """A complete table of embeddings that were computed before, in their own type.

        Args:
            embeddings (ndarray (N, D)): Of all images.
            flipped (ndarray (N, D) or None): Those of the mirrored images.
        """
        table = cls(len(embeddings))
        table.counts += 1
        table.arrays = dict(embeddings=embeddings, **({} if flipped is None else dict(flipped=flipped)))
        return table

    @property
    def dimension(self):
        """Size of an embedding, or 0 before the first."""
        return self.arrays['embeddings'].shape[1] if self.arrays else 0

    def add(self, index, embeddings, flipped=None):
        """Put the rows of one batch in their places.

        Args:
            index (array int (N,)): Rows of the images.
            embeddings (array (N, D)): Tensor or array.
            flipped (array (N, D) or None): Those of the mirrored images.

        Raises:
            ValueError: If counts or dimensions do not fit, or an index is out of range.
        """
        index = _array(index)
        parts = dict(embeddings=_array(embeddings))
        if flipped is not None:
            parts['flipped'] = _array(flipped)
            if parts['flipped'].shape != parts['embeddings'].shape:
                raise ValueError(f'embeddings are {parts["embeddings"].shape}, but those of the mirrored images '
                                 f'{parts["flipped"].shape}: both must come from the same images and the same network')
        if self.arrays and set(parts) != set(self.arrays):
            raise ValueError('some batches have embeddings of mirrored images and others have not')
        if len(index) and not 0 <= index.min() <= index.max() < self.images:
            raise ValueError(f'index {index.min()} to {index.max()} is outside the data set of {self.images} images')
        for key, values in parts.items():
            self._put(key, index, values)
        np.add.at(self.counts, index, 1)

    def _put(self, key, index, values):
        if values.ndim != 2 or len(values) != len(index):
            raise ValueError(f'{key} must be ({len(index)}, D), one row an index; got shape {values.shape}')
        if key not in self.arrays:
            self.arrays[key] = np.zeros((self.images, values.shape[1]), np.float32)
        if values.shape[1] != self.arrays[key].shape[1]:
            raise ValueError(f'{key} have {values.shape[1]} dimensions here and {self.arrays[key].shape[1]} before')
        self.arrays[key][index] = values

    def gather(self):
        """Merge the tables of all ranks, in place, and fill in the rows that share an image."""
        self._merge()
        if self.same_as is not None:
            self.counts = self.counts[self.same_as]
            self.arrays = {key: values[self.same_as] for key, values in self.arrays.items()}

    def _merge(self):
        from mmengine import dist
        if dist.get_world_size() == 1:
            return
        import torch
        width = torch.tensor([self.dimension, 'flipped' in self.arrays])
        dist.all_reduce(width, 'max')  # a rank that had no image learns the shapes
        for key in ('embeddings', 'flipped')[:1 + int(width[1])]:
            if key not in self.arrays:
                self.arrays[key] = np.zeros((self.images, int(width[0])), np.float32)
        for values in (self.counts, *(self.arrays[key] for key in sorted(self.arrays))):
            dist.all_reduce(torch.from_numpy(values))

    def rows(self, rows, name='', names=None):
        """The embeddings of consecutive images.

        Args:
            rows (slice): Which.
            name (str): The benchmark's name, for messages.
            names (sequence of str or None): The images' names, for messages.

        Returns:
            tuple: embeddings (N, D) and flipped (N, D) or None; views, not copies.

        Raises:
            ValueError: If an image is missing or was embedded more than once.
        """
        counts = self.counts[rows]
        for wrong, what in ((counts == 0, 'missing'), (counts > 1, 'embedded more than once')):
            if wrong.any():
                first = int(np.flatnonzero(wrong)[0])
                called = f'{first} ({names[first]})' if names is not None else str(first)
                raise ValueError(f'{name}: {int(wrong.sum())} of {len(counts)} images are {what}, the first is image '
                                 f'{called}; every image must be embedded by exactly one rank')
        flipped = self.arrays.get('flipped')
        return self.arrays['embeddings'][rows], None if flipped is None else flipped[rows]


def _array(values):
    """A tensor on any device and of any float type, or anything like an array, as an array."""
    if hasattr(values, 'detach'):
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values)
