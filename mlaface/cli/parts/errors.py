"""How a command ends on an error that its user can mend: one line, without a traceback."""
import os
import re
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

from mlaface.utils.errors import FULL, UserError
from mlaface.utils.texts import one_line

OURS = re.compile(f'^{re.escape(str(Path(__file__).parents[2]))}|mmengine.registry.build_functions.py$')
SPOKESMAN_SECONDS, BYSTANDER_SECONDS = 20, 5


@contextmanager
def explained(*kinds, refused=(ValueError,), status=1):
    """Turn an error that the user can mend into ``error: MESSAGE`` on stderr and an exit status.

    Such are ``UserError``, ``OSError`` and a device without memory left. Of several ranks one speaks: the others wait,
    and the launcher ends them. Which one, an error's ``speaks`` says (``engine/faults.py``); where it does not, rank 0.
    With the environment variable ``MLAFACE_TRACEBACK`` set every error is raised, for those who write plugins.

    Warnings of ours are a line, too: ``warning: MESSAGE``.

    Args:
        *kinds (type): Further errors.
        refused (tuple[type]): By what functions refuse what the user gave them; none where a mistake of a plugin or our
            own looks alike and its traceback is wanted, as in training.
        status (int): The exit status; 1 by default.

    Raises:
        SystemExit: In place of one of them.
    """
    formatted, warnings.formatwarning = warnings.formatwarning, _warning
    try:
        yield
    except BrokenPipeError:  # who read the output, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)
    except Exception as error:
        speaks = getattr(error, 'speaks', None)
        mendable = isinstance(error, (UserError, OSError, *refused, *kinds)) or _is_out_of_memory(error)
        if not mendable or os.environ.get('MLAFACE_TRACEBACK'):
            if not speaks:  # a rank whose peer ended fails as well, and has nothing to add
                _wait_for_others(BYSTANDER_SECONDS)
            raise
        _wait_for_others({True: 0, False: BYSTANDER_SECONDS}.get(speaks, SPOKESMAN_SECONDS if _rank() else 0))
        message = f'error: {f"rank {_rank()}: " if speaks and _rank() else ""}{_message(error)}'
        if status == 1:
            sys.exit(message)
        print(message, file=sys.stderr)
        sys.exit(status)
    finally:
        warnings.formatwarning = formatted


def _warning(message, category, filename, lineno, line=None):
    """A warning of this package, or of what it builds by name, without the code that it came from."""
    if issubclass(category, UserWarning) and OURS.search(filename):
        return f'warning: {one_line(str(message))}\n'
    return f'{filename}:{lineno}: {category.__name__}: {message}\n'


def _is_out_of_memory(error):
    return (type(error).__name__ == 'OutOfMemoryError' or isinstance(error, MemoryError)
            or "DefaultCPUAllocator: can't allocate memory" in str(error))


def _message(error):
    """What is wrong, and what to do where the system said it."""
    if _is_out_of_memory(error):
        first = str(error).partition('\n')[0].strip('. ')
        return f'{first or "out of memory"}. Take smaller batches; docs/training.md says what else needs less memory'
    if getattr(error, 'errno', None) in FULL:
        return (f'{error}. What was written is whole: make room, and give the same command again (training: with '
                '--resume)')
    return '\n'.join(map(one_line, str(error).split('\n')))  # of several files, a line each


def _rank():
    """This process's rank before any process group exists (int)."""
    return int(os.environ.get('RANK', os.environ.get('SLURM_PROCID', 0)))


def _wait_for_others(seconds):
    """Give the launcher of several ranks time to end this one."""
    if int(os.environ.get('WORLD_SIZE', os.environ.get('SLURM_NTASKS', 1))) > 1:
        time.sleep(seconds)
