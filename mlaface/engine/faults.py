"""A fault of one rank ends the others, which wait for it in a collective: it is told over the process group's store."""
import contextlib
import os
import re
import sys
import threading
import time

from torch.distributed.distributed_c10d import _get_default_store

from mlaface.engine.distributed import rank, world_size
from mlaface.engine.errors import RankError
from mlaface.utils.errors import UserError

KEY = 'mlaface_fault'
POLL, GRACE = 1.0, 5.0  # seconds between two looks, and those in which a rank may end by itself
AFTER_FIRST, UNKNOWING = 1.0, 3.0  # seconds that others leave to rank 0, and who knows no cause to who does
OF_PEERS = re.compile(r'gloo|nccl|connection (closed|reset|refused)', re.IGNORECASE)


@contextlib.contextmanager
def shared_faults():
    """End all ranks within seconds if one fails in the block; nothing happens where there is one rank.

    The rank that fails tells its fault and raises it, with ``speaks`` True; it is the first that knows a cause: an
    error with ``vague`` waits for those without. A rank that fails with it raises ``RankError``; one that still waits
    after ``GRACE`` seconds says so in a line, and its process ends.

    Raises:
        RankError: In place of an error of this rank, if another one's was told before; names the rank.
    """
    if world_size() == 1:
        yield
        return
    store, over = _get_default_store(), threading.Event()
    threading.Thread(target=_watch, args=(store, over, rank()), daemon=True).start()
    try:
        yield
    except Exception as error:
        over.set()
        _tell(store, error)
        raise
    finally:
        over.set()


def _watch(store, over, own):
    """Look for a fault until training is over."""
    while not over.wait(POLL):
        text = _told(store)
        if text and not over.wait(GRACE):
            _end(text)


def _end(text):
    """End the process: its main thread waits in a collective, and may do so for ever."""
    print(f'error: {text}', file=sys.stderr, flush=True)
    os._exit(1)


def _told(store):
    """The fault that a rank has told, as a message (str), or ''; rank 0, which may keep the store, may be gone."""
    try:
        number, _, message = store.get(KEY).decode().partition('\n') if store.check([KEY]) else ('', '', '')
    except RuntimeError as error:
        return f'rank 0 ended, or cannot be reached ({_first_line(error)}): its message says why'
    return f'rank {number} ended the run: {message}' if number else ''


def _tell(store, error):
    """Tell the fault of this rank, or raise ``RankError`` if it is another's."""
    of_peers = not isinstance(error, UserError) and isinstance(error, RuntimeError) and OF_PEERS.search(str(error))
    seconds = UNKNOWING if of_peers or getattr(error, 'vague', False) else 0
    end = time.monotonic() + seconds + (AFTER_FIRST if rank() else 0)
    while not (text := _told(store)) and time.monotonic() < end:
        time.sleep(0.1)
    if not text and of_peers:
        text = f'another rank ended or does not answer ({_said_by_peer(error)}): its message, or the launcher, says why'
    if text:
        raise RankError(text) from error
    message = str(error) if isinstance(error, UserError) else f'{type(error).__name__}: {_first_line(error)}'
    with contextlib.suppress(RuntimeError):
        mine = f'{rank()}\n{message}'
        if store.compare_set(KEY, '', mine).decode() != mine:
            raise RankError(_told(store)) from error
    error.speaks = True
    time.sleep(2 * POLL)  # the others look, while the store is there


def _first_line(error):
    return str(error).partition('\n')[0]


def _said_by_peer(error):
    """What gloo says, without the line of its source and its advice."""
    return re.sub(r'^\[[^]]*\] ', '', _first_line(error)).partition('. ')[0]
