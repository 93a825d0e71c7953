"""Errors of the engine; most are ``UserError``, which commands show in one line."""
import contextlib

from mlaface.utils.errors import ArgumentError, UnknownNameError, UserError


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
    """Make an error by which a part refuses its arguments (ours, or MMEngine's) a ``ConfigError`` with their file.

    Args:
        source (str | Path): The config file.
    """
    try:
        yield
    except UserError as error:
        if not isinstance(error, (ArgumentError, UnknownNameError)):  # the others say where by themselves
            raise
        raise ConfigError(f'{source}: {error}') from error
    except (ValueError, AssertionError) as error:
        raise ConfigError(f'{source}: {error}') from error
