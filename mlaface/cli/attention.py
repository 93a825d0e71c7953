"""``mlaface attention``: where a network looks, as a page, pictures and numbers."""
import argparse
import sys
from itertools import islice
from pathlib import Path

from mlaface.cli.parts.arguments import command, count, written_folder
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.inference import Skipped, add_detector, open_detector
from mlaface.cli.parts.progress import tracked
from mlaface.utils.errors import InputError

EPILOG = """writes DIR/attention.html, DIR/attention.json, DIR/IMAGE.png and, for a checkpoint in its work folder,
DIR/gates.png

exit status: 0, or 1 if an image could not be read or shows no face

examples:
  mlaface attention mla_r18w025_drawn faces/ --out attention
  mlaface attention work_dirs/mla/best.pth a112.png --with b112.png --out attention
  mlaface attention best.pth photo.jpg --detect --point 56,72 --layer backbone.layer3 --out attention"""


def point(text):
    """An argument ``X,Y``, in pixels."""
    try:
        x, y = map(float, text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be X,Y in pixels, such as 56,72; got {text}') from None
    return x, y


def make_parser():
    """The command's arguments."""
    parser = command('attention', 'Show where a network looks: gates and weights of its attention, self-attention of a '
                     'point, Grad-CAM.', EPILOG)
    parser.add_argument('model', help='checkpoint or published file of mlaface, or a name of the zoo')
    parser.add_argument('sources', nargs='+', metavar='IMAGE', help='aligned face, or folder of them; with --detect '
                        'photographs, of which the largest face is taken')
    parser.add_argument('--out', type=written_folder, default='attention', metavar='DIR',
                        help='(default: %(default)s)')
    parser.add_argument('--detect', action='store_true', help='the images are photographs: faces are found first')
    parser.add_argument('--with', dest='other', metavar='IMAGE', help='Grad-CAM explains the cosine to this face '
                        "(default: to a face's own mirror image)")
    parser.add_argument('--layer', metavar='NAME', help='module whose map Grad-CAM weighs (default: backbone, the map '
                        'of its last stage)')
    parser.add_argument('--point', type=point, action='append', dest='points', metavar='X,Y', help='whose '
                        'self-attention is shown, in pixels of the crop of 112 x 112; may be given several times '
                        '(default: both eyes)')
    parser.add_argument('--limit', type=count, default=16, metavar='N', help='faces at most (default: 16)')
    parser.add_argument('--config', metavar='FILE', help='config of the network, for a checkpoint without one')
    add_detector(parser)
    return parser


def main(argv=None):
    """Look as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained():
        return run(args)


def run(args):
    """Open, look, write, say where.

    Args:
        args (Namespace): From ``make_parser``.

    Returns:
        int: Exit status.
    """
    from mlaface.apis.networks import open_recognizer
    from mlaface.cli.parts.device import choose_device
    from mlaface.inference.finder import FaceFinder
    from mlaface.utils.imports import import_modules
    from mlaface.visualization.look import EYES, Viewer, gates_in_training
    from mlaface.visualization.report import write_looks
    import_modules(args.imports)
    network = open_recognizer(args.model, args.config, choose_device(args.device))
    finder = FaceFinder(open_detector(args) if args.detect else None, network.size, args.workers)
    other = finder.largest(args.other, not args.detect)[0].crop if args.other else None
    cam, notes = _grad_cam(args, network.model)
    viewer, skipped = Viewer(network.model, cam, other, args.points or EYES), Skipped()
    if args.points and not viewer.observer.branches:
        notes.append(f'{args.model} has no branch of self-attention: --point shows nothing')
    training = gates_in_training(Path(network.path).parent)
    faces = _faces(finder, args, skipped)
    looks = [viewer(name, crop) for name, crop in tracked(islice(faces, args.limit), 'looking')]
    if not looks:
        raise InputError('none of the images shows a face that can be looked at')
    if next(faces, None) is not None:
        notes.append(f'only the first {args.limit} faces are shown: --limit shows more')
    target = f'cosine to {args.other}' if args.other else "cosine to the face's own mirror image"
    for note in notes:
        print(f'note: {note}', file=sys.stderr)
    print(write_looks(args.out, viewer, looks, network.describe(), target, training, notes))
    return int(skipped.count > 0)


def _faces(finder, args, skipped):
    """Name and crop of each image's largest face; what has none is told and counted."""
    for name, faces, error in finder.find(args.sources, not args.detect):
        if error is None and not faces:
            error = InputError(f'no face in {name}')
        if error is not None:
            skipped(name, error)
        else:
            yield name, faces[0].crop


def _grad_cam(args, model):
    """A ``GradCAM`` or None, and what is to be said of what the page lacks (list[str])."""
    from mlaface.utils.errors import MissingPackageError
    from mlaface.visualization.grad_cam import GradCAM
    from mlaface.visualization.observe import Observer
    none = [] if Observer(model) else [f'{args.model} has no attention: Grad-CAM is all that there is to see']
    try:
        return GradCAM(model, args.layer or 'backbone'), none
    except MissingPackageError as error:  # without captum the rest can be shown
        if none or args.layer or args.other:
            raise
        return None, [f'Grad-CAM is left out: {error}']


if __name__ == '__main__':
    sys.exit(main())
