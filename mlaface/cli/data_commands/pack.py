"""``mlaface data pack``: a folder of identities to a set to train on."""
import argparse
import sys

from mlaface.cli.parts.arguments import count
from mlaface.cli.parts.inference import add_detector, open_detector, tracked
from mlaface.cli.parts.transferring import STATUS, add_options, add_order, run

EPILOG = STATUS + """
examples:
  mlaface data pack my_faces data/my_faces                       # aligned faces to train.rec, train.idx, property
  mlaface data pack my_faces data/shards --to tar --shuffle 0    # as shards for WebDataset, in random order
  mlaface data pack photos data/mine --align --exclude bad.txt   # photographs: the detector cuts out the faces"""


def make_parser():
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog='mlaface data pack', description='Pack faces to train on.', epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument('--to', choices=('records', 'tar', 'lmdb'), default='records', help='layout (default: '
                        'records)')
    add_order(parser)
    parser.add_argument('--size', type=count, nargs=2, default=(112, 112), metavar=('H', 'W'), help='that every image '
                        'must have (default: 112 112)')
    parser.add_argument('--quality', type=count, default=95, metavar='N', help='of what is no JPEG and becomes one '
                        '(default: 95)')
    parser.add_argument('--align', action='store_true', help='the images are photographs: the largest face of each is '
                        'cut out (mlaface align has more options)')
    add_detector(parser, workers=False)
    return parser


def aligner(args):
    """What makes aligned faces of a folder of photographs, as ``archives.convert`` calls it."""
    def prepare(source, target):
        from mlaface.inference.finder import FaceFinder
        from mlaface.inference.preparation import align_folder
        finder = FaceFinder(open_detector(args), args.size, args.workers or 2)
        for _ in tracked(align_folder(finder, source, target, quality=args.quality), 'aligning'):
            pass
        return target
    return prepare


def main(argv=None):
    """Pack as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    from mlaface.datasets.archives.examine import Rules
    return run(args, args.to, Rules(tuple(args.size), args.quality), prepare=aligner(args) if args.align else None)


if __name__ == '__main__':
    sys.exit(main())
