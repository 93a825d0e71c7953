"""What a format is to the exporter."""


class Exporter:
    """A format that networks leave in; a subclass in one file is all that a new one needs.

    Attributes:
        suffixes (tuple[str]): Of its files, by which the format is found where none is named.
        kind (str): The kind of network (``NETWORKS``) that opens its files: each file is checked through it.
        precisions (tuple[str]): Of the numbers in its files.

    Args of the constructor are keyword arguments that the user may give; ``EXPORTERS`` builds it.
    """
    suffixes = ()
    kind = ''
    precisions = ('float32',)

    def convert(self, extractor, precision='float32', images=None):
        """The network in this format, in memory.

        Args:
            extractor (Extractor): Of the type that ``dtype`` says.
            precision (str): One of ``precisions``.
            images (ndarray, optional): uint8 (N, 3, H, W), RGB, to find the range of each map with, for ``'int8'``.

        Raises:
            ValueError: If the format cannot hold the network.
        """
        raise NotImplementedError

    def save(self, program, path, metadata):
        """Write what ``convert`` gave, with metadata (dict[str, str]); called again when there is more to say."""
        raise NotImplementedError

    def dtype(self, precision):
        """The torch type of the extractor that ``convert`` wants (torch.dtype)."""
        import torch
        return getattr(torch, precision, torch.float32) if precision != 'int8' else torch.float32
