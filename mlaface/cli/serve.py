"""``mlaface serve``: detect, embed, compare, enrol and identify over HTTP, and a page to do so."""
import logging
import sys
from dataclasses import fields

from mlaface.cli.parts.arguments import command, count, finite, port
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.inference import add_detector, add_model, add_threshold, open_inferencer
from mlaface.utils.packages import import_optional

EPILOG = """examples:
  mlaface serve                                              # then open http://127.0.0.1:8000
  mlaface serve --keys keys --make-key door                  # prints a new key, keeps its hash, and ends
  mlaface serve --host 0.0.0.0 --keys keys --galleries /srv/galleries
  curl -F first=@a.jpg -F second=@b.jpg http://127.0.0.1:8000/v1/compare
docs/serve.md has more, such as TLS and systemd."""
PACKAGES = ('fastapi', 'uvicorn', 'python_multipart', 'prometheus_client')
LIMITS = dict(body=(count, 'BYTES', 'of a request'), pixels=(count, 'N', 'of an image'),
              faces=(count, 'N', 'of an image that are embedded'), files=(count, 'N', 'images of an enrolment'),
              queue=(count, 'N', 'requests that are worked on or wait; above, 503'),
              share=(count, 'N', 'the same, of one key; above, 429'),
              seconds=(finite, 'S', 'that a request may take; above, 504'),
              upload=(finite, 'S', 'until a request has come in whole; above, 408'),
              wait=(finite, 'S', 'that a face waits for faces that are being looked for, to share a batch'))


def make_parser():
    """The command's arguments."""
    from mlaface.serve.keys import VARIABLE
    from mlaface.serve.limits import Limits
    parser = command('serve', 'A server for faces, and a page.', EPILOG)
    parser.add_argument('--host', default='127.0.0.1', help='where to listen (default: 127.0.0.1, this machine alone; '
                        'others need --keys)')
    parser.add_argument('--port', type=port, default=8000, help='0 takes a free one (default: 8000)')
    parser.add_argument('--galleries', metavar='PLACE', help="where people are kept, a gallery a "
                        'key: a folder, or postgresql://USER@HOST/DATABASE (default: the folder galleries, '
                        'made when somebody is enrolled; one that is named is made, or tried, at the start)')
    parser.add_argument('--key-file', metavar='FILE', help='key that encrypts the galleries, 64 hexadecimal digits '
                        '(default: the variable MLAFACE_GALLERY_KEY)')
    add_threshold(parser, 'decide')
    parser.add_argument('--verbose', action='store_true', help='a line on stderr for each request')
    keys = parser.add_argument_group('keys')
    keys.add_argument('--keys', metavar='FILE', help=f'hashes of keys (default: the variable {VARIABLE}, or no keys)')
    keys.add_argument('--make-key', metavar='NAME', help='add a key for the gallery NAME to --keys, print it, and end')
    keys.add_argument('--read-only', action='store_true', help='the new key may not enrol and delete')
    limits = parser.add_argument_group('limits')
    defaults = {field.name: field.default for field in fields(Limits)}
    for name, (kind, metavar, about) in LIMITS.items():
        limits.add_argument(f'--max-{name}', type=kind, default=defaults[name], metavar=metavar,
                            help=f'{about} (default: {defaults[name]})')
    add_detector(parser)
    add_model(parser)
    return parser


def main(argv=None):
    """Serve as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained(status=2):
        if args.make_key:
            return _make_key(args)
        for package in PACKAGES:
            import_optional(package, 'mlaface serve')
        from mlaface.serve.keys import Keys
        from mlaface.serve.server import bound, check_reach, run
        keys = Keys.read(args.keys)
        check_reach(args.host, keys)
        listening = bound(args.host, args.port)
        _log(args.verbose)
        run(application(args, keys), listening, args.max_seconds, announce)
    return 0


def _make_key(args):
    from mlaface.serve.keys import make_key
    if not args.keys:
        raise ValueError('--make-key needs --keys FILE, where the hash of the key is kept')
    print(make_key(args.keys, args.make_key, args.read_only))
    return 0


def application(args, keys):
    """The application that the arguments ask for, with its network loaded and warm."""
    from mlaface.gallery.sealing import read_key
    from mlaface.serve.app import make_app
    from mlaface.serve.galleries import Galleries, try_place
    from mlaface.serve.limits import Limits
    from mlaface.serve.service import FaceService
    if args.galleries:
        try_place(args.galleries)
    limits = Limits(batch=args.batch_size, **{name: getattr(args, f'max_{name}') for name in LIMITS})
    inferencer = open_inferencer(args, far=args.far, threshold=args.threshold)
    service = FaceService(inferencer, limits, attention_of(inferencer.network), max(args.workers, 1))
    galleries = Galleries(args.galleries or 'galleries', service.model, read_key(args.key_file),
                          service.metrics.searches.observe)
    return make_app(service, galleries, keys)


def attention_of(network):
    """What gives a crop's attention maps, for a checkpoint of ours with attention; None for all else."""
    from mlaface.evaluation.networks.recognizer import RecognizerNetwork
    if not isinstance(network, RecognizerNetwork):
        return None
    from mlaface.apis.attention import AttentionMaps
    return AttentionMaps.of(network.model)


def announce(address):
    """Say where the server is."""
    print(f'mlaface serve: {address} (Ctrl-C ends it)', flush=True)


def _log(verbose):
    logging.basicConfig(format='%(asctime)s %(name)s %(levelname)s %(message)s', level=logging.WARNING)
    logging.getLogger('mlaface.serve').setLevel(logging.INFO if verbose else logging.WARNING)


if __name__ == '__main__':
    sys.exit(main())
