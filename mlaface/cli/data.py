"""Data sets: prepare, look, clean; a verb is a module of ``mlaface.cli.data_commands``."""
import sys

from mlaface.cli.main import dispatch
from mlaface.cli.parts.errors import explained

VERBS = dict(pack='a folder of identities to records, tar shards or LMDB; photographs are aligned on the way',
             unpack='a set to a folder of identities',
             convert='a set from any layout to any other',
             inspect='count what is in a set, and find images that cannot be used',
             verify='find damage in a .rec file, and write an index of what is whole')
HEAD = 'usage: mlaface data VERB [--help | options]'
EXAMPLES = 'example: mlaface data inspect my_faces'


def main(argv=None):
    """Hand the arguments to the verb's own command; ``argv`` (list[str]) is by default the process's."""
    with explained():
        return dispatch('mlaface.cli.data_commands', VERBS, sys.argv[1:] if argv is None else argv, HEAD, EXAMPLES)


if __name__ == '__main__':
    main()
