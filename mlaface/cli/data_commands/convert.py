"""``mlaface data convert``: a set from any layout to any other."""
import sys

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.transferring import STATUS, add_options, add_order, run

EPILOG = """Images go on byte for byte as they are, of any size. Several labels stay where the layout has them: im2rec,
records, tar, lmdb, parquet. Pairs of a .bin become classes 000000_same, 000001_different, ..., and such classes a .bin.

""" + STATUS + """
examples:
  mlaface data convert FaceImageCroppedWithAlignment.tsv celeb --to folder
  mlaface data convert WebFace42M_tars data/webface42m --to tar --shuffle 0
  mlaface data convert data/ms1mv3 ms1mv3.lmdb
  mlaface data convert WebFace42M_tars data/w42m --to tar --shuffle 0 --executor slurm --executor-options tasks=64"""


def make_parser():
    """The command's arguments."""
    from mlaface.datasets.archives.convert import LAYOUTS
    parser = command('data convert', 'Write a set in another layout.', EPILOG)
    add_options(parser)
    parser.add_argument('--to', choices=tuple(LAYOUTS), help='layout: ' + '; '.join(
        f'{name}, {what}' for name, (_, _, what) in LAYOUTS.items()) + ' (default: what the ending of OUT tells)')
    add_order(parser)
    return parser


def main(argv=None):
    """Convert; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    parser = make_parser()
    args = parser.parse_args(argv)
    from mlaface.datasets.archives.convert import layout_of
    from mlaface.datasets.archives.examine import Rules
    layout = args.to or layout_of(args.out)
    if layout is None:
        parser.error(f'the name {args.out!r} tells no layout: give --to')
    return run(args, layout, Rules())


if __name__ == '__main__':
    sys.exit(main())
