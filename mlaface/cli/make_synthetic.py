"""Draw the built-in faces: training set and three benchmarks, in the layouts of real data.

Examples:
  python tools/datasets/make_synthetic.py --baselines
  python tools/datasets/make_synthetic.py --out data/small --identities 20 --test-identities 20 --pairs 40
  python tools/datasets/make_synthetic.py --style heads --out data/heads --identities 4000 --images-per-identity 12
  python tools/datasets/make_synthetic.py --contact-sheet faces.png
  python tools/datasets/make_synthetic.py --faces faces/    for: compare faces/person1_a.jpg faces/person1_b.jpg
"""
import os
import signal
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.progress import bar
from mlaface.datasets.synthetic.generate import STYLES, Recipe, generate


def parse(arguments=None):
    """Parse the command line."""
    default = Recipe()
    parser = command('make-synthetic', __doc__)
    parser.add_argument('--out', default='data/synthetic', help='folder to write (default: %(default)s)')
    parser.add_argument('--style', choices=list(STYLES), default=default.style,
                        help='flat: polygons; heads: heads in three dimensions, which teach more of real faces '
                        'and need numba (default: %(default)s)')
    parser.add_argument('--identities', type=int, default=default.identities, help='to train on (%(default)s)')
    parser.add_argument('--images-per-identity', type=int, default=default.images_per_identity, help='(%(default)s)')
    parser.add_argument('--test-identities', type=int, default=default.test_identities,
                        help='of the benchmarks, none of them trained (%(default)s)')
    parser.add_argument('--pairs', type=int, default=default.pairs, help='of each benchmark (%(default)s)')
    parser.add_argument('--seed', type=int, default=default.seed, help='(%(default)s)')
    parser.add_argument('--workers', type=int, default=min(os.cpu_count() or 1, 8), help='processes (%(default)s)')
    parser.add_argument('--overwrite', action='store_true', help='replace a set drawn before, of any recipe')
    parser.add_argument('--contact-sheet', metavar='PNG', help='write a picture of the first identities, and end')
    parser.add_argument('--faces', metavar='DIR', help='write two aligned images of each of three people who are in no '
                        'training set, and end')
    parser.add_argument('--baselines', action='store_true', help='then: pair accuracy of raw pixels and mean colour')
    return parser.parse_args(arguments)


def draw(out, recipe, workers, overwrite):
    """Draw a set under a progress bar; says whether it was there already."""
    from mlaface.datasets.synthetic.nuisance import BENCHMARKS
    total = recipe.identities * recipe.images_per_identity + 2 * recipe.pairs * len(BENCHMARKS)
    with bar('drawing faces', total) as advance:
        drawn = generate(out, recipe, workers, advance, overwrite)
    print(f'{out}: {recipe.identities} identities, {total} images {"drawn" if drawn else "are there already"}')


def show_baselines(out):
    """Print what is reached without recognising anybody."""
    from mlaface.datasets.synthetic.baselines import pair_baselines
    for path in sorted(Path(out).glob('*.bin')):
        print(f'{path.stem}: ' + ', '.join(f'{name} {value:.3f}' for name, value in pair_baselines(path).items()))


def main(argv=None):
    """Make what the arguments ask for; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    with explained(BrokenProcessPool):
        make(args)


def make(args):
    """Draw a contact sheet, single images, or a set."""
    if args.contact_sheet:
        from mlaface.datasets.synthetic.sheet import contact_sheet
        contact_sheet(args.contact_sheet, args.seed, style=args.style)
        print(args.contact_sheet)
        return
    if args.faces:
        from mlaface.datasets.synthetic.sheet import single_images
        print(*single_images(args.faces, args.seed, style=args.style), sep='\n')
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing half-written is left
    try:
        recipe = Recipe(args.identities, args.images_per_identity, args.test_identities, args.pairs, args.seed,
                        args.style)
        draw(args.out, recipe, args.workers, args.overwrite)
    except KeyboardInterrupt:
        raise SystemExit(f'interrupted: {args.out} is not whole; the same command draws it anew') from None
    if args.baselines:
        show_baselines(args.out)
