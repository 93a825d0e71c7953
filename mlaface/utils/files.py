"""Files that are whole or absent, and tensors that are read without running code."""
import contextlib
import fcntl
import filecmp
import glob
import os
import shutil
import tempfile
from pathlib import Path

from mlaface.utils.archive import checked
from mlaface.utils.checksums import DamagedFileError
from mlaface.utils.errors import InputError


@contextlib.contextmanager
def atomic_path(path, renew=True):
    """Give a temporary name beside ``path``; flush it and rename it to ``path`` if the block succeeds.

    Whatever happens inside (a kill, a full disk), ``path`` is either the old file or the whole new one.

    Args:
        path (str | Path): The file to write; its folder is made.
        renew (bool): Whether an old file of the same bytes is replaced too; else it stays, and with it its time.

    Yields:
        Path: Name to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _made(lambda: tempfile.mkstemp(prefix=f'.{path.name}.', suffix='.part', dir=path.parent))
    try:
        yield temporary
        if not renew and path.is_file() and filecmp.cmp(temporary, path, shallow=False):
            return
        with open(temporary, 'rb') as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(place, name):
    """A folder ``.NAME.*.part`` (Path) that is gone when the block ends; of a process that was killed, ``sweep`` it.

    Args:
        place (str | Path): The folder that it is made in.
        name (str): Of what it is made for.

    Yields:
        Path: The folder.
    """
    def make():
        work = tempfile.mkdtemp(prefix=f'.{name}.', suffix='.part', dir=place)
        try:
            return os.open(work, os.O_RDONLY), work
        except FileNotFoundError:  # swept already
            return make()
    handle, work = _made(make)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(handle)


def _made(make):
    """A temporary file or folder that is held: its open handle and its Path.

    Args:
        make (callable): Makes one, and gives both; one that another process sweeps before it is held is made anew.
    """
    while True:
        handle, path = make()
        _hold(handle)
        if os.path.lexists(path):
            return handle, Path(path)
        os.close(handle)


def sweep(folder, name='*'):
    """Remove temporary files and folders ``.NAME.xxxxxxxx.part`` that killed processes left; those at work hold theirs.

    Args:
        folder (str | Path): Where; it need not be there.
        name (str): Of what they were made for. Default: any.
    """
    for left in Path(folder).glob(f'.{name if name == "*" else glob.escape(name)}.{"[a-z0-9_]" * 8}.part'):
        with contextlib.suppress(OSError):  # gone, held, not ours to remove, or no locks here
            handle = os.open(left, os.O_RDONLY)
            try:
                _hold(handle, force=True)
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            finally:
                os.close(handle)


def _hold(handle, force=False):
    """Hold an open file or folder until it is closed; one that cannot be held is only an ``OSError`` with ``force``."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if force:
            raise


@contextlib.contextmanager
def held(lock, refusal):
    """Hold a lock, a file of no bytes that stays, while the block runs; it ends with the process, however that ends.

    Args:
        lock (str | Path): The file; its folder is made.
        refusal (str): What to say where another process holds it.

    Raises:
        InputError: If another process holds it.
    """
    from filelock import FileLock, Timeout
    Path(lock).parent.mkdir(parents=True, exist_ok=True)
    taken = FileLock(lock)
    try:
        taken.acquire(timeout=0)
    except Timeout as error:
        raise InputError(refusal) from error
    try:
        yield
    finally:
        taken.release()


def write_at(path, place, data):
    """Write bytes at a place of a file, all of them; the disk's refusal is an ``OSError``, which a map would not be."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        done = 0
        while done < len(data):
            done += os.pwrite(handle, data[done:], place + done)
    finally:
        os.close(handle)


def sync_folder(folder):
    """Flush a folder's entries to disk, where the platform can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load_tensors(path, map_location='cpu'):
    """Read a ``.pth`` file of tensors and plain Python values; code in it is refused, not run.

    Args:
        path (str | Path): The file.
        map_location (str): Where the tensors go.

    Returns:
        object: What was saved.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is torn or damaged, or holds anything but tensors and plain values; names the file.
    """
    import torch
    if not Path(path).is_file():
        raise FileNotFoundError(f'no checkpoint at {path}')
    try:
        with checked(path) as source:
            return torch.load(source, map_location=map_location, weights_only=True)
    except DamagedFileError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0].partition('. ')[0] if str(error) else type(error).__name__
        raise ValueError(f'{path} cannot be read as a checkpoint ({reason}): it is torn, or it holds objects other '
                         'than tensors and plain values, which mlaface does not load because they can run code'
                         ) from error


def is_state_dict(content):
    """Whether what ``load_tensors`` gave is a bare state dict: names with tensors, and nothing else."""
    import torch
    return isinstance(content, dict) and bool(content) and all(isinstance(v, torch.Tensor) for v in content.values())
