"""Errors of the engine that a user can mend; the command line shows them without a traceback."""
import contextlib
import errno

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """What is wrong, where, and what to do about it."""


class ConfigError(UserError, ValueError):
    """A config that cannot be meant as it is written."""


class MissingDataError(UserError, FileNotFoundError):
    """A data set that is not where the config looks for it."""


class CheckpointError(UserError, RuntimeError):
    """A checkpoint that cannot be written, read, or used with this model."""


class DivergenceError(UserError, FloatingPointError):
    """A loss or gradient that is no longer finite."""


class Interrupted(SystemExit):
    """Training stopped by a signal, after a checkpoint was written; the exit status is ``128 + signal``."""


@contextlib.contextmanager
def refusals(source):
    """Make an error by which a part refuses its arguments (ours, or MMEngine's) a ``ConfigError`` with their file.

    Args:
        source (str | Path): The config file.
    """
    try:
        yield
    except UserError:
        raise
    except (ValueError, AssertionError) as error:
        raise ConfigError(f'{source}: {error}') from error
