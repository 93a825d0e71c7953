"""Which search a protocol of 1:N uses: blocks of products, on the host or a GPU, or FAISS. The numbers are the same."""
from functools import partial

from mlaface.evaluation.functional.arrays import HOST
from mlaface.evaluation.functional.search import scan_gallery
from mlaface.evaluation.search.device import arrays_on
from mlaface.evaluation.search.faiss_scan import scan_by_faiss
from mlaface.utils.packages import is_installed, missing

SEARCHES = ('auto', 'blocks', 'faiss')
ONE_PRODUCT = 1 << 28  # scores; 1 GiB in float32


def check_search(search):
    """The name of a search, if it can be used here.

    Raises:
        ValueError: If it is unknown.
        MissingPackageError: If FAISS is not installed.
    """
    if search not in SEARCHES:
        raise ValueError(f'search must be one of {SEARCHES}; got {search!r}')
    if search == 'faiss' and not is_installed('faiss'):
        raise missing('faiss', "search='faiss'")
    return search


def choose_search(search, device, scores, deep=False):
    """The function that scans a gallery.

    Args:
        search (str): ``'blocks'``, ``'faiss'``, or ``'auto'``: blocks on a GPU, and where one matrix product holds all
            scores; FAISS beyond that, if it is installed.
        device (str): Where the network runs.
        scores (int): Probes times gallery entries.
        deep (bool): The ranks of all mates matter, not the first ones alone: FAISS, which fetches the best entries,
            would leave many probes to the blocks, and ``'auto'`` begins with them.

    Returns:
        callable: With the signature of ``functional.search.scan_gallery``.

    Raises:
        ValueError, MissingPackageError: As ``check_search``.
    """
    arrays, search = arrays_on(device), check_search(search)
    beyond = scores > ONE_PRODUCT and not deep and arrays is HOST and is_installed('faiss')
    return scan_by_faiss if search == 'faiss' or (search == 'auto' and beyond) else partial(scan_gallery, arrays=arrays)
