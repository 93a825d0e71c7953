"""Count what is in a data set, decode every image, and show the first faults; exit status 1 if there are any.

Examples:
  mlaface data inspect data/ms1mv3
  mlaface data inspect data/lfw.bin
  mlaface data inspect my_faces --first 50
"""
import argparse
import sys

from mlaface.cli.parts.errors import explained


def parse(arguments=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='mlaface data inspect', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('path', help='folder with train.rec, a .rec or .bin file, or a folder of identities')
    parser.add_argument('--first', type=int, default=10, help='faults to show (default: %(default)s)')
    parser.add_argument('--image-size', type=int, nargs=2, default=(112, 112), metavar=('HEIGHT', 'WIDTH'),
                        help='what an image must have (default: 112 112)')
    return parser.parse_args(arguments)


def main(argv=None):
    """Open the set as training does, and read all of it; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    from rich.progress import track

    from mlaface.datasets.prepare.inspect import decode_all, describe_set, open_set
    with explained():
        dataset = open_set(args.path)
        print(f'{args.path}: {describe_set(dataset)}')
        sizes, faults, turned = decode_all(dataset, args.image_size, lambda rows: track(
            rows, 'decoding', transient=True, disable=not sys.stdout.isatty()))
    print('sizes: ' + ', '.join(f'{height}x{width} {count}' for (height, width), count in sizes.most_common(10)))
    if turned:
        print(f'{turned} images are stored turned: training sees them upright, as their Exif says')
    print(f'{len(faults)} images cannot be used')
    print('\n'.join(faults[:args.first]), end='\n' if faults else '')
    raise SystemExit(1 if faults else 0)
