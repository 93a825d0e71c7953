"""Errors that a user can mend: one family, which every command ends on in one line, without a traceback."""
import errno

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """What is wrong, where, and what to do about it; made of one message."""

    def __str__(self):
        return ' '.join(map(str, self.args))  # KeyError, of which one is a kind too, would show it in quotes


class InputError(UserError, ValueError):
    """Data or arguments that do not fit the network or each other."""


class MissingDataError(UserError, FileNotFoundError):
    """A data set that is not where it is looked for."""


class UnknownNameError(UserError, KeyError):
    """A name that no plugin has."""


class ArgumentError(UserError, TypeError, ValueError):
    """An argument that a plugin does not take, or lacks."""


class MissingPackageError(UserError, ImportError):
    """A package that a part needs and that is not installed."""


class FullDiskError(UserError):
    """A disk that takes no more."""


class StoreError(UserError):
    """A store that fails for longer than it is waited for; training writes a checkpoint before it ends on one."""
