"""Training sets as im2rec's lists of image files."""
from functools import partial

from mlaface.datasets.location import resolve_data
from mlaface.datasets.sets._archive_faces import ArchiveFaces
from mlaface.datasets.stores.images import open_list
from mlaface.registry import DATASETS


@DATASETS.register_module()
class ListedFaces(ArchiveFaces):
    """A ``.lst`` and the images that it names; a key is a path as it stands there.

    Args:
        data_root (str | dict): The list, see ``ArchiveFaces``.
        root (str | dict, optional): Folder that its paths start from, as im2rec took it, or its address where the list
            lies in a store too. Default: the list's.
        options: Other arguments of ``ArchiveFaces``, whose errors are the same.
    """

    def __init__(self, data_root, root=None, **options):
        self.open = partial(open_list, root=None if root is None else resolve_data(root))
        super().__init__(data_root, **options)
