"""Fetch models by name, checked by their hashes; what was fetched is not fetched again.

MLAFACE_CACHE is the folder of the cache, MLAFACE_MIRROR a folder or server to look in first, MLAFACE_OFFLINE=1 forbids
the network.

Examples:
  python tools/download.py sface
  python tools/download.py mla_r18w025_drawn --dest .
  python tools/download.py hf://OWNER/NAME
"""
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained


def parse(arguments=None):
    """Parse the command line."""
    parser = command('download', __doc__)
    parser.add_argument('names', nargs='+', metavar='NAME', help='of mlaface models, or hf://OWNER/NAME')
    parser.add_argument('--dest', metavar='DIR', help='a folder to copy them to (default: they stay in the cache)')
    return parser.parse_args(arguments)


def main(argv=None):
    """Fetch as the arguments say and print the files; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    with explained():
        from mlaface.cli.parts.fetching import fetched
        for name in args.names:
            print(fetched(name, args.dest))
