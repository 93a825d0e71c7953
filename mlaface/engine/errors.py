"""Errors of the engine; most are ``UserError``, which commands show in one line."""
import contextlib

from mlaface.utils.errors import UserError


class ConfigError(UserError, ValueError):
    """A config that cannot be meant as it is written."""


class CheckpointError(UserError, RuntimeError):
    """A checkpoint that cannot be written, read, or used with this model."""


class DivergenceError(UserError, FloatingPointError):
    """A loss or gradient that is no longer finite."""


class Interrupted(SystemExit):
    """Training stopped by a signal, after a checkpoint was written; the exit status is ``128 + signal``."""


@contextlib.contextmanager
def refusals(source):
    """Make a ``ValueError`` by which a part refuses its arguments a ``ConfigError`` that names their file.

    Args:
        source (str | Path): The config file.
    """
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise ConfigError(f'{source}: {error}') from error
