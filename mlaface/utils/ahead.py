"""Work that threads do ahead of whom it is for."""
from collections import deque
from concurrent.futures import ThreadPoolExecutor


def map_ahead(function, items, workers=1, depth=None):
    """Results of a function in the order of the items, computed ahead in threads.

    Args:
        function (callable): Releases Python's lock while it works, as decoders do.
        items (iterable): Its arguments; never more than ``depth + 1`` are taken ahead.
        workers (int): Threads; 0 calls it in the caller's.
        depth (int, optional): Results that may wait. Default ``workers``.

    Yields:
        object: What the function gave.
    """
    if workers < 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers, 'ahead') as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > (workers if depth is None else depth):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
