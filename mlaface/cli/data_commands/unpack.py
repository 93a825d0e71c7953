"""``mlaface data unpack``: a set to a folder of identities."""
import sys

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.transferring import STATUS, add_options, run

EPILOG = STATUS + """
examples:
  mlaface data unpack data/ms1mv3 faces
  mlaface data unpack data/lfw.bin lfw       # pairs become folders 000000_same, 000001_different, ..."""


def make_parser():
    """The command's arguments."""
    parser = command('data unpack', 'Write the images of a set as files, a folder an identity, byte for byte as they '
                     'are.', EPILOG)
    add_options(parser)
    return parser


def main(argv=None):
    """Unpack; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    from mlaface.datasets.archives.examine import Rules
    return run(args, 'folder', Rules())


if __name__ == '__main__':
    sys.exit(main())
