"""Errors of the engine; most are ``UserError``, which commands show in one line."""
import contextlib
import traceback

from mlaface.utils.errors import ArgumentError, MissingPackageError, UnknownNameError, UserError


class ConfigError(UserError, ValueError):
    """A config that cannot be meant as it is written."""


class CheckpointError(UserError, RuntimeError):
    """A checkpoint that cannot be written, read, or used with this model."""


class DivergenceError(UserError, FloatingPointError):
    """A loss or gradient that is no longer finite."""


class RankError(UserError, RuntimeError):
    """Training that ended with a fault of another rank."""

    speaks = False  # but the other


class Interrupted(SystemExit):
    """Training stopped by a signal, after a checkpoint was written; the exit status is ``128 + signal``."""


@contextlib.contextmanager
def refusals(source):
    """Make an error by which a part refuses its arguments (ours, or MMEngine's) a ``ConfigError`` with their file.

    What a missing package is said with keeps its kind, and is given the file too.

    Args:
        source (str | Path): The config file.
    """
    try:
        yield
    except MissingPackageError as error:
        raise MissingPackageError(f'{source}: {error}') from error
    except UserError as error:
        if not isinstance(error, (ArgumentError, UnknownNameError)):  # the others say where by themselves
            raise
        raise ConfigError(f'{source}: {error}') from error
    except (ValueError, AssertionError) as error:
        line = traceback.extract_tb(error.__traceback__)[-1].line
        said = str(error) or f'{line.removeprefix("assert ")} does not hold'
        raise ConfigError(f'{source}: {said}') from error
