"""The parser of a command, and types of arguments."""
import argparse
import json
import math
import os
import sys
import tempfile
from pathlib import Path

from mlaface.utils.errors import InputError


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with arguments in one line, as commands do of all else; the usage is in the help."""

    def error(self, message):
        """End with status 2."""
        self.exit(2, f'{self.prog}: error: {message.rstrip(".")}. See {self.prog} --help\n')


def command(name, description, epilog=None):
    """A parser without arguments, whose texts keep their lines.

    Args:
        name (str): As behind ``mlaface``; what a script of ``tools/`` says is its own name.
        description (str): What the command does; examples may follow.
        epilog (str, optional): What follows the arguments.

    Returns:
        argparse.ArgumentParser: The parser.
    """
    begun, (first, *rest) = Path(sys.argv[0]), name.split()
    program = f'mlaface {name}'
    if begun.suffix == '.py' and 'tools' in begun.parts:
        program = ' '.join(['python', str(begun), *(rest if begun.stem == first else ())])
    return _Parser(program, description=description, epilog=epilog,
                   formatter_class=argparse.RawDescriptionHelpFormatter)


def count(text, least=1):
    """An argument that is a whole number of at least ``least``."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be a whole number, got {text!r}') from None
    if number < least:
        raise argparse.ArgumentTypeError(f'must be at least {least}, got {text}')
    return number


def count_from_zero(text):
    """``count`` from 0 on."""
    return count(text, 0)


def local_place(text):
    """An argument that names what is written, which is no address: of stores sets are only read."""
    if '://' in text:
        raise argparse.ArgumentTypeError(f'{text} is an address; stores are only read from: give a local path')
    return text


def written_file(text):
    """A ``local_place`` of a file that can be written: after the work that makes it a refusal comes too late."""
    return _tried(text, False)


def written_folder(text):
    """A ``local_place`` of a folder that can be written to, as ``written_file``."""
    return _tried(text, True)


def _tried(text, folder):
    """``text``, where a file can be made in its place: in the folder, or in the next above it that is there."""
    path, wanted = Path(local_place(text)), 'folder' if folder else 'file'
    if not text:
        raise argparse.ArgumentTypeError(f'is empty: name a {wanted}')
    try:
        path = path.absolute()
        if path.exists() and not (path.is_dir() if folder else path.is_file()):
            is_now = 'a folder' if path.is_dir() else 'a file' if path.is_file() else 'no file'
            raise argparse.ArgumentTypeError(f'{text} is {is_now}: name a {wanted}')
        place = next(place for place in (path, *path.parents)[not folder:] if os.path.lexists(place))
        with tempfile.NamedTemporaryFile(prefix=f'.{path.name}.' if not folder else None, suffix='.part', dir=place):
            return text
    except OSError as error:
        raise argparse.ArgumentTypeError(f'{text} cannot be written ({error.strerror}): name another place') from None


def report_folder(text):
    """A ``written_folder`` for a report, which is no set: it would take the place of the set's own summary."""
    try:
        summary = json.loads(Path(written_folder(text), 'summary.json').read_bytes())
    except (OSError, ValueError):
        return text
    if isinstance(summary, dict) and 'layout' in summary:
        raise argparse.ArgumentTypeError(f'{text} is a set with a summary.json of its own: give another folder')
    return text


def share(text):
    """An argument that is a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f'lies between 0 and 1, got {text}')
    return number


def cosine(text):
    """An argument that is a number from -1 to 1."""
    return _between(text, -1, 1)


def rate(text):
    """An argument that is a number above 0 and below 1."""
    return _between(text, 0, 1, ends=False)


def finite(text):
    """An argument that is a number of at least 0, and not infinite."""
    return _between(text, 0, sys.float_info.max)


def _between(text, least, most, ends=True):
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (least <= number <= most if ends else least < number < most):
        limits = f'from {least} to {most}' if most < sys.float_info.max else f'of at least {least}'
        raise argparse.ArgumentTypeError(f'must be a number {limits if ends else f"between {least} and {most}"}, got '
                                         f'{text}')
    return number


def port(text):
    """An argument that is the number of a port; 0 is any that is free."""
    number = count_from_zero(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f'lies between 0 and 65535, got {text}')
    return number


def percent(text):
    """An argument that is a whole number from 1 to 100."""
    number = count(text)
    if number > 100:
        raise argparse.ArgumentTypeError(f'lies between 1 and 100, got {text}')
    return number


def refuse_unused(parser, args, names, why):
    """Refuse options that were given and would do nothing; to give one as it is by default is to leave it out.

    Args:
        parser (argparse.ArgumentParser): Where they come from.
        args (Namespace): What it made.
        names (Sequence[str]): The options as attributes.
        why (str): What they belong to.

    Raises:
        InputError: If one was given; names it.
    """
    given = [name for name in names if getattr(args, name) != parser.get_default(name)]
    if given:
        raise InputError(f'--{given[0].replace("_", "-")} would do nothing: {why}')
