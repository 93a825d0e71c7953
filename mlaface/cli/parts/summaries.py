"""What a command has found: for people in lines, for programs as JSON, in a file and on standard output."""
import json

from mlaface.utils.files import atomic_path, sweep
from mlaface.utils.texts import one_line


def add_json(parser):
    """Let the summary come on standard output, alone."""
    parser.add_argument('--json', action='store_true', help='the summary as JSON on standard output')


def tell(args, summary, *lines):
    """Print lines, or the summary where ``--json`` asks for it.

    Args:
        args (Namespace): ``json``.
        summary (dict): Plain values.
        lines (str): For people; each stays one, whatever the names in it hold.
    """
    if args.json:
        print(json.dumps(summary))
    else:
        print('\n'.join(map(one_line, lines)))


def conclude(args, folder, summary, *lines):
    """Write ``summary.json`` into a folder (str | Path), whole or not at all; then as ``tell``.

    It comes last: what an earlier call that was killed left half written in the folder goes before.
    """
    sweep(folder)
    with atomic_path(f'{folder}/summary.json') as temporary:
        temporary.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    tell(args, summary, *lines)
