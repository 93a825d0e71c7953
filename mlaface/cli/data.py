"""Data sets: prepare, look, clean; a verb is a module of ``mlaface.cli.data_commands``."""
import sys

from mlaface.cli.main import dispatch
from mlaface.cli.parts.errors import explained

VERBS = dict(pack='a folder of identities, or any set, to records, tar shards or LMDB; photographs are aligned',
             unpack='a set to a folder of identities',
             convert='a set from any layout to any other',
             inspect='count what is in a set, and find images that cannot be used',
             dedupe='find copies of images, within and across sets',
             leak='find people of a training set who stand in a benchmark',
             clean='find wrong labels: outliers, identities to merge and to split',
             pairs='make a benchmark of pairs from a set of identities',
             split='training, validation and test sets by identity',
             verify='find damage in a set, and write the index of a .rec or tar file')
HEAD = 'usage: mlaface data VERB [--help | options]'
EXAMPLES = 'example: mlaface data inspect my_faces'


def main(argv=None):
    """Hand the arguments to the verb's own command; ``argv`` (list[str]) is by default the process's."""
    with explained():
        return dispatch('mlaface.cli.data_commands', VERBS, sys.argv[1:] if argv is None else argv, HEAD, EXAMPLES)


if __name__ == '__main__':
    main()
