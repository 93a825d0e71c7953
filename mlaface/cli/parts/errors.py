"""How a command ends on an error that its user can mend: one line, without a traceback."""
import sys
from contextlib import contextmanager


@contextmanager
def explained(*kinds):
    """Turn errors into ``error: MESSAGE`` on stderr and exit status 1.

    Args:
        *kinds (type): Errors besides ``OSError`` and ``ValueError``.

    Raises:
        SystemExit: In place of one of them.
    """
    try:
        yield
    except (OSError, ValueError, *kinds) as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error  # str(KeyError) is quoted
        sys.exit(f'error: {message}')
