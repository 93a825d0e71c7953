"""Several training sets as one, each with classes of its own, or with people of one name joined."""
import copy
import inspect

import numpy as np

from mlaface.datasets.sets._base import FaceDataset
from mlaface.registry import DATASETS


@DATASETS.register_module()
class MixedFaces(FaceDataset):
    """Training sets one behind the other, with one label space.

    The classes of the sets follow each other, named ``SET/CLASS``: a ``MarginHead`` then tells all of them apart, a
    ``SeparateHeads`` those of each set among themselves only, as is right where the sets may share people. How often a
    set comes says the sampler: ``EpochSampler`` by its images, ``MixedSampler`` by weights.

    Each set augments its images by transforms and a seed of its own.

    Args:
        sets (Sequence[dict]): Configs of the sets.
        names (Sequence[str], optional): Of the sets; default ``'0'``, ``'1'``, ...
        same_names (bool): Whether classes of one name are one class in all sets, with this name. Default False.
        transforms (Sequence[dict]): Of the sets that state none.
        image_size (tuple[int, int]): Height and width.
        on_bad_image (str): Of the sets that state none.
        seed (int): Of the transforms' random numbers; set number k has ``seed + k``, unless it states one.

    Attributes:
        sizes (list[int]): Images of each set.
        labels (ndarray): int (N,).

    Raises:
        ValueError: If there is no set, one that knows no labels, or names are not one each.
    """

    def __init__(self, sets, names=None, same_names=False, transforms=(), image_size=(112, 112), on_bad_image='stop',
                 seed=0):
        super().__init__((), image_size, on_bad_image, seed)
        names = [str(number) for number in range(len(sets))] if names is None else list(map(str, names))
        if not sets or len(set(names)) != len(sets):
            raise ValueError(f'MixedFaces: {len(sets)} sets and the names {names}: give one set at least, and as many '
                             'names, all different')
        shared = dict(transforms=transforms, image_size=image_size, on_bad_image=on_bad_image)
        self.sets = [_build(cfg, dict(shared, seed=seed + number)) for number, cfg in enumerate(sets)]
        for name, faces in zip(names, self.sets):
            if not hasattr(faces, 'labels') or 'num_classes' not in faces.metainfo:
                raise ValueError(f'MixedFaces: {name} ({type(faces).__name__}) knows no labels to train on')
        self.sizes = [len(faces) for faces in self.sets]
        self.starts = np.cumsum([0, *self.sizes])
        spaces = [faces.metainfo['num_classes'] for faces in self.sets]
        classes, self.numbers = _join(names, [faces.metainfo['classes'] for faces in self.sets], same_names)
        self.labels = np.concatenate([np.asarray(numbers)[faces.labels]
                                      for faces, numbers in zip(self.sets, self.numbers)])
        self.num_classes = len(classes)
        self.metainfo = dict(num_classes=len(classes), classes=classes,
                             label_spaces=None if same_names else tuple(spaces))

    def __len__(self):
        return int(self.starts[-1])

    def _place(self, index):
        """Number of the set and index in it."""
        number = int(np.searchsorted(self.starts, index, side='right')) - 1
        return number, int(index - self.starts[number])

    @property
    def remote(self):
        """Whether one of the sets reads from a store (bool)."""
        return any(faces.remote for faces in self.sets)

    def expect(self, indices):
        """Told the samples (list[int]) that are read next."""
        inner = {}
        for number, place in map(self._place, indices):
            inner.setdefault(number, []).append(place)
        for number, places in inner.items():
            self.sets[number].expect(places)

    def where(self, index):
        """Where a sample lies (str)."""
        number, inner = self._place(index)
        return self.sets[number].where(inner)

    def encoded(self, index):
        """Label and encoded image of a sample."""
        number, inner = self._place(index)
        numbers, image = self.sets[number].encoded(inner)
        return dict(labels=int(self.numbers[number][numbers['labels']])), image

    def _sample(self, epoch, index, out):
        """The sample as its own set makes it, with the label of the mix."""
        number, inner = self._place(index)
        numbers = self.sets[number]._sample(epoch, inner, out)
        return dict(labels=int(self.numbers[number][numbers['labels']]))

    @property
    def transforms(self):
        """Those of all sets, in their order."""
        return [transform for faces in self.sets for transform in faces.transforms]

    @transforms.setter
    def transforms(self, transforms):
        self.sets = [copy.copy(faces) for faces in getattr(self, 'sets', ())]  # those of a copied mix are shared
        for faces in self.sets:
            faces.transforms = transforms


def _build(cfg, shared):
    """A set, with what is said for all where it takes it and says nothing itself."""
    parameters = inspect.signature(DATASETS.get(cfg['type'])).parameters
    return DATASETS.build(cfg, default_args={key: value for key, value in shared.items()
                                             if key in parameters and key not in cfg})


def _join(names, classes, same_names):
    """Names of all classes, and the number that each class of each set has among them."""
    if not same_names:
        ends = np.cumsum([len(one) for one in classes])
        titles = tuple(f'{name}/{title}' for name, one in zip(names, classes) for title in one)
        return titles, [np.arange(end - len(one), end) for one, end in zip(classes, ends)]
    numbers = {title: number for number, title in enumerate(dict.fromkeys(str(t) for one in classes for t in one))}
    return tuple(numbers), [np.array([numbers[str(title)] for title in one]) for one in classes]
