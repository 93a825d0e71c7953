"""Training sets in parquet, as Hugging Face gives them out."""
from mlaface.datasets.sets._archive_faces import ArchiveFaces
from mlaface.datasets.stores.parquets import open_parquet
from mlaface.registry import DATASETS
from mlaface.utils.checksums import checksum_of


@DATASETS.register_module()
class ParquetFaces(ArchiveFaces):
    """Parquet files of a folder, or one; a key is the number of the row.

    Behind http, where no folder can be listed, ``images.lst`` in it names its files, as that of a folder of identities.
    In random order every image costs its whole row group: convert the set to records, tar shards or LMDB to train on.
    Arguments and errors are those of ``ArchiveFaces``.
    """

    open = staticmethod(open_parquet)

    def stamp(self):
        """Rows, and a checksum of row groups and classes (str)."""
        return f'{len(self.archive)} images, {checksum_of(self.archive.sizes, self.archive.labels):08x}'

    def name(self, index):
        """Number of a sample's row with nine digits (str)."""
        return self.key(index).zfill(9)
