"""``mlaface align``: photographs to aligned faces, as training and networks want them."""
import json
import sys
from collections import Counter

from mlaface.cli.parts.arguments import command, count, finite, local_place, percent
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.executors import add_executor, spread_of
from mlaface.cli.parts.inference import add_detector
from mlaface.cli.parts.progress import tracked

EPILOG = """OUT gets the faces under the names of their photographs (a person's folder stays one), align.jsonl with a
line a photograph, and dropped.html, which shows what was left out and why. Given again it goes on where it was.

exit status: 0, or 1 if a photograph could not be read

examples:
  mlaface align photos/ aligned/
  mlaface align photos/ aligned/ --faces only --min-size 60 --min-sharpness 30 --max-yaw 50
  mlaface align s3://faces/photos aligned/
  mlaface align photos/ aligned/ --executor local --executor-options processes=8"""


def make_parser():
    """The command's arguments."""
    parser = command('align', 'Cut aligned faces out of photographs.', EPILOG)
    parser.add_argument('source', metavar='FOLDER', help='photographs, in folders of any depth, or the address of '
                        'such a folder in a store')
    parser.add_argument('out', type=local_place, metavar='OUT', help='folder of the faces')
    parser.add_argument('--faces', choices=('largest', 'only', 'all'), default='largest', help='which faces of a '
                        'photograph: the largest (default), only where there is just one, or all')
    parser.add_argument('--min-size', type=finite, default=40, metavar='PIXELS', help='shorter side of a face '
                        '(default: 40)')
    parser.add_argument('--min-sharpness', type=finite, default=0, metavar='X', help='variance of the Laplacian; '
                        'blurred faces have tens (default: 0)')
    parser.add_argument('--max-yaw', type=finite, default=90, metavar='DEGREES', help='how far a face may look aside '
                        '(default: 90)')
    parser.add_argument('--size', type=count, nargs=2, default=(112, 112), metavar=('H', 'W'), help='of the faces '
                        '(default: 112 112)')
    parser.add_argument('--quality', type=percent, default=95, metavar='N', help='of the JPEG files (default: 95)')
    parser.add_argument('--json', action='store_true', help='a line of JSON a photograph')
    add_detector(parser)
    add_executor(parser)
    return parser


def main(argv=None):
    """Align as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained():
        from mlaface.cli.parts.aligning import aligned
        from mlaface.inference.dropped import write_page
        from mlaface.inference.preparation import FaceRules, read_log
        rules = FaceRules(args.faces, args.min_size, args.min_sharpness, args.max_yaw)
        new, spread = 0, spread_of(args)
        found = aligned(args, args.source, args.out, args.workers, rules, spread)
        for record in found if spread else tracked(found, 'aligning'):
            new += 1
            if args.json:
                print(json.dumps(record), flush=True)
        records = read_log(args.out)
        page = write_page(records, args.source, args.out)
    dropped = Counter(record['dropped'] for record in records if record['dropped'])
    show(records, dropped, new, page)
    return int(dropped['cannot be read'] > 0)


def show(records, dropped, new, page):
    """Print what became of all photographs, on stderr."""
    kept = sum(len(record['kept']) for record in records)
    print(f'{len(records)} photographs ({new} now), {kept} faces kept, {sum(dropped.values())} photographs dropped',
          *(f'  {number} {reason}' for reason, number in dropped.most_common()), f'page: {page}', sep='\n',
          file=sys.stderr)


if __name__ == '__main__':
    sys.exit(main())
