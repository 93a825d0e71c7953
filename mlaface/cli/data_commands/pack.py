"""``mlaface data pack``: a folder of identities, or any other set, to one to train on."""
import sys

from mlaface.cli.parts.arguments import command, count, percent, refuse_unused
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.inference import add_detector
from mlaface.cli.parts.progress import tracked
from mlaface.cli.parts.transferring import STATUS, add_options, add_order, run

EPILOG = STATUS + """
examples:
  mlaface data pack my_faces data/my_faces                       # aligned faces to train.rec, train.idx, property
  mlaface data pack my_faces data/shards --to tar --shuffle 0    # as shards for WebDataset, in random order
  mlaface data pack photos data/mine --align --exclude bad.txt   # photographs: the detector cuts out the faces
  mlaface data pack photos data/mine --align --executor local --executor-options processes=8
  mlaface data pack my_faces data/shards --to tar --executor ray --executor-options address=head:6379"""


def make_parser():
    """The command's arguments."""
    parser = command('data pack', 'Pack faces to train on.', EPILOG)
    add_options(parser)
    parser.add_argument('--to', choices=('records', 'tar', 'lmdb'), default='records', help='layout (default: '
                        'records)')
    add_order(parser)
    parser.add_argument('--size', type=count, nargs=2, default=(112, 112), metavar=('H', 'W'), help='that every image '
                        'must have (default: 112 112)')
    parser.add_argument('--quality', type=percent, default=95, metavar='N', help='of what is no JPEG and becomes one '
                        '(default: 95)')
    parser.add_argument('--align', action='store_true', help='the images are photographs: the largest face of each is '
                        'cut out (mlaface align has more options)')
    add_detector(parser, workers=False)
    return parser


def aligner(args):
    """What makes aligned faces of a folder of photographs, as ``archives.convert`` calls it."""
    def prepare(source, target, spread=None):
        import shutil

        from mlaface.cli.parts.aligning import aligned
        from mlaface.inference.preparation import read_log
        from mlaface.utils.errors import InputError
        found = aligned(args, source, target, args.workers or 2, spread=spread)
        for _ in found if spread else tracked(found, 'aligning'):
            pass
        fates = read_log(target)
        if not any(fate['kept'] for fate in fates):
            shutil.rmtree(target)
            raise InputError(f'{source}: no face was found in any of {len(fates)} photographs; the first: '
                             f'{fates[0]["source"]}, {fates[0]["dropped"]}. Lower --min-score, or take another '
                             '--detector')
        return target, [(fate['source'], fate['dropped'], fate.get('detail') or 'the detector, or what is asked of a '
                         'face, left nothing of it') for fate in fates if fate['dropped']]
    return prepare


def main(argv=None):
    """Pack as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    parser = make_parser()
    args = parser.parse_args(argv)
    from mlaface.datasets.archives.examine import Rules
    if not args.align:
        with explained():
            refuse_unused(parser, args, ('detector', 'min_score', 'device'), 'faces are looked for with --align only')
    return run(args, args.to, Rules(tuple(args.size), args.quality), prepare=aligner(args) if args.align else None)


if __name__ == '__main__':
    sys.exit(main())
