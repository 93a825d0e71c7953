"""What is wrong with a file, told to a person."""
from mlaface.utils.errors import UserError


class FormatError(UserError, ValueError):
    """A file is not what its format says: torn, mislabelled, or another format; the message names file and place."""


class DecodeError(FormatError):
    """The bytes of one image cannot be decoded."""
