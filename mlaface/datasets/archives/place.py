"""Where a set is made: a work folder beside it, which one process at a time uses, and which becomes it at the end."""
import contextlib
import os
import shutil
from pathlib import Path

from mlaface.utils.errors import InputError
from mlaface.utils.files import held, sync_folder

WHOLE = 'whole'  # an empty file: nothing but a renaming is left to do


@contextlib.contextmanager
def claimed(out, single=None):
    """Claim the place of a set.

    Args:
        out (str | Path): The set; it must not be there yet.
        single (str, optional): Its only file's name in the work folder, where it is a file.

    Yields:
        Path: The work folder ``OUT.part``; with a file ``whole`` in it when it can be renamed, as it is then when the
        block ends.

    Raises:
        InputError: If the set is there, or another process is making it.
    """
    out = Path(out).absolute()
    work = out.with_name(f'{out.name}.part')
    lock = out.with_name(f'.{out.name}.lock')
    with held(lock, f'{out} is being made by another process: wait for it, or give another name'):
        try:
            if out.exists() and not (out.is_dir() and not any(out.iterdir())):
                if single and not (work / single).exists() and not any(work.glob('*.part')):
                    shutil.rmtree(work, ignore_errors=True)  # killed when the file had its place
                raise InputError(f'{out} is there already: give another name, or remove it')
            work.mkdir(exist_ok=True)
            yield work
            if (work / WHOLE).exists():
                _settle(work, out, single)
        finally:
            with contextlib.suppress(OSError):  # where nothing is begun
                work.rmdir()
            if not work.exists():
                with contextlib.suppress(OSError):
                    lock.unlink()


def _settle(work, out, single):
    """Clear the work folder and give it its name."""
    from mlaface.datasets.archives.target import STATE
    for file in [*work.glob('*.part'), work / STATE]:
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    if single:
        os.replace(work / single, out)
        shutil.rmtree(work)
    else:
        (work / WHOLE).unlink()
        sync_folder(work)
        if out.is_dir():
            out.rmdir()
        os.replace(work, out)
    sync_folder(out.parent)
