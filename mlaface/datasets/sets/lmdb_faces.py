"""Training sets in LMDB."""
from mlaface.datasets.sets._archive_faces import ArchiveFaces
from mlaface.datasets.stores.lmdbs import open_lmdb
from mlaface.registry import DATASETS
from mlaface.utils.names import plain_name


@DATASETS.register_module()
class LmdbFaces(ArchiveFaces):
    """A folder with ``data.mdb`` and ``classes.txt``; keys as ``formats/lmdb_set.py`` says.

    From a store it is copied whole before it is opened, see ``stores/lmdbs.py``.
    Arguments and errors are those of ``ArchiveFaces``.
    """

    open = staticmethod(open_lmdb)

    def name(self, index):
        """What a sample's file was called before it was packed, without ending (str)."""
        return plain_name(super().name(index))
