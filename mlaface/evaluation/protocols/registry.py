"""Name of a protocol to what opens its folder."""
from mlaface.evaluation.protocols import agedb, cfp, ijb, megaface, pairs, rfw, tinyface

OPENERS = dict(lfw=pairs.open_lfw, xqlfw=pairs.open_lfw, cfp=cfp.open_cfp, agedb=agedb.open_agedb,
               calfw=pairs.open_flat, cplfw=pairs.open_flat, rfw=rfw.open_rfw, ijbb=ijb.open_ijb, ijbc=ijb.open_ijb,
               tinyface=tinyface.open_tinyface, megaface=megaface.open_megaface)


def open_protocol(name, root):
    """The suite of a protocol's folder.

    Args:
        name (str): One of ``OPENERS``.
        root (str | Path): Folder with its images and lists.

    Returns:
        Suite: Images and benchmarks; nothing is decoded yet.

    Raises:
        FileNotFoundError: If a list or an image is missing.
        ValueError: If a list has another form than published.
    """
    return OPENERS[name](name, root)
