"""Training sets as im2rec's lists of image files."""
from mlaface.datasets.sets._archive_faces import ArchiveFaces
from mlaface.datasets.stores.images import open_list
from mlaface.registry import DATASETS


@DATASETS.register_module()
class ListedFaces(ArchiveFaces):
    """A ``.lst`` and the images that it names, by paths that start from its folder; a key is such a path.

    Arguments and errors are those of ``ArchiveFaces``.
    """

    open = staticmethod(open_list)
