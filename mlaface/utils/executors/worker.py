"""A process that makes pieces of jobs: ``python -m mlaface.utils.executors.worker [FOLDER FINGERPRINT K N]``.

With arguments it makes every N-th missing piece of a job from the K-th on (from 1), as the K-th of N tasks of an array.
Without, it takes folder, fingerprint and number of a piece as a line of JSON from standard input, and answers each by
another; it ends as soon as its input does, so that nothing is left of it when who started it is killed.
"""
import json
import os
import queue
import socket
import sys
import threading
import warnings
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from mlaface.utils.errors import FULL, UserError
from mlaface.utils.executors.job import DESCRIPTION, Fault, Job
from mlaface.utils.files import atomic_path
from mlaface.version import __version__


def run_piece(folder, fingerprint, number):
    """Make a piece, unless it is done; what it needs is opened once in a process.

    Args:
        folder (str): The job's.
        fingerprint (str): The job's.
        number (int): The piece.

    Returns:
        Fault | None: What went wrong, with this node's name; mistakes of the code are raised as they are.
    """
    node = socket.gethostname()
    try:
        job, make = _opened(folder, fingerprint)
        if job.manifest(number) is None:
            _write(job, number, make)
    except (UserError, OSError, ValueError) as error:
        full = getattr(error, 'errno', None) in FULL
        rest = f'the disk takes no more ({error.strerror}). Make room, and the same command goes on' if full else error
        return Fault(full, f'node {node}, piece {number} in {folder}: {rest}')
    return None


@lru_cache(1)
def _opened(folder, fingerprint):
    try:
        told = json.loads(Path(folder, DESCRIPTION).read_bytes())
    except OSError as error:
        raise UserError(f'the folder is not seen here ({error.strerror}). Results must lie on a file system that all '
                        'nodes share, under the same path') from error
    job = Job(folder, told['task'], told['settings'], told['pieces'], {})
    job.fingerprint = told['fingerprint']
    if told['fingerprint'] != fingerprint:
        raise UserError('another job lies in the folder here: it is not the same folder on all nodes')
    if told['mlaface'] != __version__:
        raise UserError(f'mlaface {__version__} is installed here, {told["mlaface"]} where the command was given')
    module, _, name = told['task'].partition(':')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # who gave the command has been told them
        return job, getattr(import_module(module), name)(**told['settings'])


def _write(job, number, make):
    """Write a piece, then what tells that it is done."""
    from mlaface.utils.checksums import checksum
    path, piece = job.file(number), job.pieces[number]
    with atomic_path(path) as temporary:
        with open(temporary, 'wb') as file:
            make(piece, file)
        told = dict(job=job.fingerprint, piece=piece, size=temporary.stat().st_size, crc32=checksum(temporary))
    with atomic_path(path.with_suffix('.json')) as temporary:
        temporary.write_text(json.dumps(told))


def serve():
    """Make the pieces that come on standard input."""
    answers = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    pieces = queue.Queue()

    def listen():
        for line in sys.stdin:
            pieces.put(json.loads(line))
        os._exit(0)
    threading.Thread(target=listen, daemon=True).start()
    while True:
        answers.write(json.dumps(run_piece(*pieces.get())) + '\n')


def share(folder, fingerprint, task, tasks):
    """Make this task's share of the missing pieces; the exit status."""
    try:
        missing = json.loads(Path(folder, 'missing.json').read_bytes())
    except OSError:
        missing = [0]  # the folder is not seen here, which the first piece will say
    for number in missing[task - 1::tasks]:
        fault = run_piece(folder, fingerprint, number)
        if fault is not None:
            print(f'error: {fault.message}', file=sys.stderr)
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(share(*sys.argv[1:3], *map(int, sys.argv[3:])) if sys.argv[1:] else serve())
