"""MS-Celeb-1M as its owners gave it out."""
from mlaface.datasets.sets._archive_faces import ArchiveFaces
from mlaface.datasets.stores.tables import open_table
from mlaface.registry import DATASETS


@DATASETS.register_module()
class CelebFaces(ArchiveFaces):
    """A ``.tsv`` of MS-Celeb-1M; a key is ``MID/RANK-FACE``. Its faces are crops of many sizes, to be converted first.

    Arguments and errors are those of ``ArchiveFaces``.
    """

    open = staticmethod(open_table)
