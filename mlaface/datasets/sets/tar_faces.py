"""Training sets in tar shards, as WebDataset reads them."""
from mlaface.datasets.sets._archive_faces import ArchiveFaces
from mlaface.datasets.stores.tars import open_shards
from mlaface.registry import DATASETS
from mlaface.utils.names import plain_name


@DATASETS.register_module()
class TarFaces(ArchiveFaces):
    """``shard-000000.tar`` ... with ``index.npy`` and ``shards.json`` beside them; any tar files without.

    In a store the index must lie beside the shards.
    A key is the member's path without ending. Arguments and errors are those of ``ArchiveFaces``.

    Source: the shards of github.com/webdataset/webdataset.
    """

    open = staticmethod(open_shards)

    def name(self, index):
        """What a sample's file was called before it was packed (str)."""
        return plain_name(self.key(index).rpartition('/')[2])
