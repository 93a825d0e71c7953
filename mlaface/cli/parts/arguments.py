"""The parser of a command, and types of arguments."""
import argparse
import sys
from pathlib import Path


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
    return argparse.ArgumentParser(program, description=description, epilog=epilog,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)


def count(text, least=1):
    """An argument that is a whole number of at least ``least``."""
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f'must be at least {least}, got {text}')
    return number


def count_from_zero(text):
    """``count`` from 0 on."""
    return count(text, 0)
