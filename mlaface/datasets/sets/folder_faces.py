"""Training sets as folders of images, one folder an identity."""
import os
import warnings

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.key_lists import kept_places
from mlaface.datasets.location import resolve_data
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.sets._folder_tree import open_tree
from mlaface.datasets.sets.record_faces import check_classes
from mlaface.datasets.stores.address import StoreAddress
from mlaface.datasets.stores.images import StoredImages
from mlaface.registry import DATASETS
from mlaface.utils.image_files import ENDINGS, FOREIGN, is_image
from mlaface.utils.names import plain_name


@DATASETS.register_module()
class FolderFaces(FaceDataset):
    """``root/IDENTITY/IMAGE``: folders in order of their names are the classes; links are followed.

    Hidden files and folders, other files, and folders within an identity are passed over. What looks like an image and
    is not read, in such a folder too, is in ``passed_over``, and there is a warning. Names that ``mlaface data`` has
    written as a place could hold them are those that were meant.

    Args:
        data_root (str | dict): Folder, relative to ``MLAFACE_DATA`` (default ``data``), or its address in a store, as
            ``s3://bucket/people``, which is listed; behind http, where none can be, ``images.lst`` of its images must
            lie in it. As a dict with what ``stores/address.py: StoreSettings`` takes.
        num_classes (int | Sequence[int], optional): Checked against the data, of several one.
        exclude (str | Path | dict | Sequence): Lists of images to leave out, see ``key_lists``; a key is the path below
            the root, ``IDENTITY/IMAGE.jpg``. Classes stay as they are.
        suffixes (Sequence[str]): Endings of the files that are images, upper and lower case alike.
        transforms (Sequence[dict]): See ``FaceDataset``.
        image_size (tuple[int, int]): Height and width.
        on_bad_image (str): ``'stop'`` or ``'skip'``.
        seed (int): Of the transforms.

    Raises:
        MissingDataError: If the folder is not there, or cannot be listed.
        StoreError: If a store fails.
        FormatError: If it holds no image where images are expected; says where there are some.
        ValueError: If ``num_classes`` is not the data's.
    """

    def __init__(self, data_root, num_classes=None, suffixes=ENDINGS, transforms=(), image_size=(112, 112),
                 on_bad_image='stop', seed=0, exclude=()):
        super().__init__(transforms, image_size, on_bad_image, seed)
        self.root = resolve_data(data_root)
        self.remote = isinstance(self.root, StoreAddress)
        suffixes = tuple(suffix.lower() for suffix in suffixes)
        tree = open_tree(self.root)
        listed, found = tree.level(), []
        names, self.passed_over = listed.folders, [
            (file, 'place', 'it lies in no folder of an identity') for file in listed.files
            if is_image(file, (*suffixes, *FOREIGN))]
        self.passed_over += [(name, 'name', tree.odd) for name in listed.odd]
        for label, name in enumerate(names):
            try:
                inside = tree.level(name)
            except OSError as error:
                self.passed_over.append((name, 'unreadable', f'the folder cannot be read: {error.strerror}'))
                continue
            found += [(label, f'{name}/{file}') for file in inside.files if is_image(file, suffixes)]
            self.passed_over += _passed_over(tree, name, inside, suffixes)
        if not found:
            odd = next(((key, why) for key, kind, why in self.passed_over if kind != 'place'), None)
            raise FormatError(f'{self.root}: none of its images can be read, such as {odd[0]}: {odd[1]}' if odd else
                              _no_images(tree, suffixes))
        self.written = tree.written_here()
        self.labels = np.array([label for label, _ in found], np.int32)
        self.files = np.array([file.encode() for _, file in found])  # an array, so that workers share its memory
        self.num_classes = len(names)
        check_classes(self.num_classes, num_classes, str(self.root))
        if exclude:
            kept = kept_places(exclude, lambda keys: np.isin(self.files, [key.encode() for key in keys]),
                               len(self.files), str(self.root), passed_over=[key for key, *_ in self.passed_over])
            self.labels, self.files = self.labels[kept], self.files[kept]
        if self.remote:
            self.images, self.version = StoredImages(self.root, self.files, tree.listing), tree.listing.version
        if self.passed_over:
            (file, _, why), count = self.passed_over[0], len(self.passed_over)
            warnings.warn(f'{self.root}: {count} images are passed over, such as {file}: {why}' if count > 1 else
                          f'{self.root}: {file} is passed over: {why}', stacklevel=2)
        empty = [names[label] for label in np.flatnonzero(np.bincount(self.labels, minlength=len(names)) == 0)]
        if empty:
            warnings.warn(f'{self.root}: {len(empty)} of {len(names)} folders hold no image ({", ".join(empty[:10])}). '
                          'They are classes all the same, which nothing is trained towards: remove them', stacklevel=2)
        self.metainfo = dict(num_classes=self.num_classes,
                             classes=tuple(map(plain_name, names) if self.written else names))

    def __len__(self):
        return len(self.files)

    def expect(self, indices):
        """Told the samples (list[int]) that are read next."""
        if self.remote:
            self.images.expect(indices)

    def key(self, index):
        """Path of a sample below the root (str)."""
        return self.files[index].decode()

    def name(self, index):
        """What a sample's file is called, without ending (str)."""
        return plain_name(super().name(index)) if self.written else super().name(index)

    def where(self, index):
        """Path of a sample (str)."""
        return f'{self.root}/{self.key(index)}'  # joining by pathlib takes a tenth of decoding

    def encoded(self, index):
        """Label and encoded image of a sample.

        Raises:
            FormatError: If the file cannot be read.
            StoreError: If the store fails.
        """
        if self.remote:
            return dict(labels=int(self.labels[index])), self.images.read(index)
        try:
            with open(self.where(index), 'rb') as file:
                return dict(labels=int(self.labels[index])), file.read()
        except OSError as error:
            raise FormatError(f'{self.where(index)} cannot be read: {error.strerror}') from error


def _no_images(tree, suffixes):
    """What to say of a folder without ``IDENTITY/IMAGE``: which level was expected, and which was found."""
    root = tree.root
    expected = f'expected is {root}/IDENTITY/IMAGE'
    found = next(iter(tree.images(suffixes)), None)
    if found is None:
        return f'{root} holds no image: {expected}, with an ending of {", ".join(suffixes)}'
    parts = found.split('/')
    if len(parts) == 1:
        return (f'{root} has no level of identities: {expected}, found is {root}/IMAGE, such as {root}/{found}. Put '
                'the images of each person into a folder of their own, or set data_root to '
                f'{root.parent} if {root.name} is one person')
    between = '/'.join(['FOLDER'] * (len(parts) - 2))
    return (f'{root} has its images on a deeper level: {expected}, found is {root}/IDENTITY/{between}/IMAGE, such as '
            f'{root}/{found}. Move the images up into the folder of their person, or set data_root to '
            f'{"/".join([str(root), *parts[:-2]])} if its folders are the people')


def _passed_over(tree, name, listed, suffixes):
    """What of an identity's folder looks like an image and is not read: key, kind of fault and what is wrong."""
    found = [(f'{name}/{file}', 'name', tree.odd) for file in listed.odd if is_image(file, suffixes)]
    for file in listed.files:
        if not is_image(file, suffixes) and (kind := FOREIGN.get(os.path.splitext(file)[1].lower())):
            found.append((f'{name}/{file}', 'format', f'{kind} is not read: convert it to JPEG'))
    found += [(f'{name}/{file}', 'unreadable', 'it is a pipe, a socket or a device, and no file')
              for file in listed.special if is_image(file, suffixes)]
    deeper = tree.deeper(name, listed, suffixes)
    return found + [(path, 'place', f'it lies deeper than {name}/IMAGE') for path in deeper]
