"""``--import``, alike in every command that opens a network or looks for a plugin."""
import argparse

from mlaface.utils.imports import import_modules


def add_imports(parser):
    """Add the option, whose value is a list of modules for ``import_modules``.

    Args:
        parser (argparse.ArgumentParser): Of the command, or a group of it.
    """
    parser.add_argument('--import', dest='imports', action='append', default=[], metavar='MODULE', help='module of a '
                        'plugin of your own, as in an import statement; may be given several times. What a model '
                        'names is not imported on its word, since that would run code')


def import_early(argv):
    """Import what ``--import`` names before the other arguments are read: a plugin may bring choices for them.

    Args:
        argv (list[str]): Arguments of a command.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    add_imports(early)
    try:
        named = early.parse_known_args(argv)[0].imports
    except argparse.ArgumentError:  # which the command's own parser tells
        return
    import_modules(named)
