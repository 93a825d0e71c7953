"""``mlaface compare``: whether two photographs show one person."""
import json
import sys
from pathlib import Path

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.inference import add_aligned, add_detector, add_model, add_threshold, open_inferencer
from mlaface.utils.errors import InputError

EPILOG = """exit status: 0 the same person, 1 different people, 2 no verdict (an error, or a model without a threshold)

examples:
  mlaface compare a.jpg b.jpg
  mlaface compare a.jpg b.jpg --percent                  # of which pairs these are more alike than
  mlaface compare a.jpg b.jpg --far 1e-2 --json
  mlaface compare a.jpg b.jpg --model work_dirs/mla/best.pth --threshold 0.35
  mlaface compare a112.png b112.png --aligned
Training runs are compared by mlaface compare-runs."""


def make_parser():
    """The command's arguments."""
    parser = command('compare', 'Compare the faces of two photographs.', EPILOG)
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='two files; the largest face of each is taken')
    add_aligned(parser)
    add_threshold(parser, 'decide')
    parser.add_argument('--percent', action='store_true', help="besides, than what percentage of the calibration's "
                        'pairs these two are more alike')
    parser.add_argument('--json', action='store_true', help='one line of JSON')
    add_detector(parser)
    add_model(parser)
    return parser


def main(argv=None):
    """Compare as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained(status=2):
        _check(args.images)
        inferencer = open_inferencer(args, not args.aligned, far=args.far, threshold=args.threshold)
        found = inferencer.compare(*args.images, aligned=args.aligned)
        print(json.dumps(record(found, args, inferencer.model)) if args.json else verdict(found), flush=True)
        if args.percent and not args.json:
            print(ranked(found, inferencer.calibration), flush=True)
    if not args.json:
        for image, faces in zip(args.images, found.found):
            if faces > 1:
                print(f'note: {faces} faces in {image}; the largest was taken', file=sys.stderr)
    return 2 if found.same is None else int(not found.same)


def _check(images):
    """Refuse what is no pair of images; work folders were this command's arguments once."""
    folder = next((name for name in images if not Path(name).is_file() and Path(
        name.rpartition('=')[2].partition(',')[0]).is_dir()), None)
    if folder is not None:
        raise InputError(f'{folder} is a folder: training runs are compared by mlaface compare-runs, images by mlaface '
                         'compare A B')
    if len(images) != 2:
        raise InputError(f'two images are compared, {len(images)} given')


def verdict(found):
    """The comparison in a line."""
    if found.same is None:
        return f'cosine {found.cosine:.4f}: no verdict, {found.reason}'
    word, sign = ('same person', '>=') if found.same else ('different people', '<')
    made = f'FAR {found.far:g}, {found.reason}' if found.far else found.reason
    return f'{word}: cosine {found.cosine:.4f} {sign} {found.threshold:.4f} ({made})'


def ranked(found, calibration):
    """A percentage with its meaning, in a line."""
    if found.below is None:
        return 'percent: not known, since this model has no calibration that keeps cosines made in this way'
    counts, percent = calibration['counts'], {kind: _percent(share) for kind, share in found.below.items()}
    return (f'more alike than {percent["different"]} of {counts["negatives"]:,} pairs of different people, and than '
            f'{percent["same"]} of {counts["positives"]:,} pairs of one person')


def _percent(share):
    """A share as a percentage that is neither rounded up to all nor down to none."""
    text = f'{100 * share:.1f}%'
    return {'100.0%': 'over 99.9%', '0.0%': 'under 0.1%'}.get(text, text)


def record(found, args, model):
    """The comparison as JSON takes it."""
    return dict(images=args.images, cosine=round(found.cosine, 6), same=found.same, threshold=found.threshold,
                far=found.far, reason=found.reason, below=found.below, faces=[face.record() for face in found.faces],
                found=list(found.found), model=model)


if __name__ == '__main__':
    sys.exit(main())
