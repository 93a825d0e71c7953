"""What goes wrong between a store and what is read from it."""
from mlaface.utils.errors import StoreError, UserError


class RefusedError(StoreError):
    """A store that does not let us in."""


class ChangedError(StoreError):
    """A file that is not the one any more that was looked up."""


class AnswerError(UserError):
    """An answer that is not what was asked for.

    Args:
        reason (str): What it is instead; holds no part of an address.
        status (int): Of the answer.
        passing (bool): Whether the next attempt may fare better.
    """

    def __init__(self, reason, status=0, passing=False):
        super().__init__(reason)
        self.reason, self.status, self.passing = reason, status, passing
