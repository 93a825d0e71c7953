"""Galleries: how fast people are enrolled and found, what that takes, and what is left after kills.

Each case runs in a process of its own. Ranks are compared with a float64 product with everybody. A search is timed in
turn with reading as many bytes as its index has: their ratio is the share of the memory's bandwidth that is reached.
"""
import json
import subprocess
import sys
import tempfile

from mlaface.cli.benchmarks import _gallery_cases, _gallery_kills, harness
from mlaface.cli.parts.arguments import command
from mlaface.utils.errors import UserError
from mlaface.utils.packages import is_installed, missing

NEEDS = dict(encrypted='cryptography', postgresql='psycopg', faiss='faiss', lancedb='lancedb',
             milvus_lite='milvus_lite')
LARGE = 64 * 2 ** 20  # bytes; less may lie in a cache, and says nothing of memory
EPILOG = """examples:
  mlaface benchmark gallery --people 10000
  mlaface benchmark gallery --people 10000 100000 1000000 --only sqlite faiss --out gallery.json
  mlaface benchmark gallery --only postgresql --server postgresql://tester@127.0.0.1/test --kills 20"""


def parser():
    """The command line."""
    cli = command('benchmark gallery', __doc__, EPILOG)
    cli.add_argument('--people', type=int, nargs='+', default=[10_000, 100_000], help='one image each (%(default)s)')
    cli.add_argument('--only', nargs='+', choices=tuple(_gallery_cases.CASES), metavar='CASE',
                     help=f'of {", ".join(_gallery_cases.CASES)} (default: those whose packages are installed)')
    cli.add_argument('--server', metavar='URL', help='a PostgreSQL database in which schemas may be made')
    cli.add_argument('--repeats', type=int, default=31, help='counted searches (default: 31)')
    cli.add_argument('--kills', type=int, default=20, help='of a writer, for each kind of gallery (default: 20)')
    cli.add_argument('--folder', help='where the files are made (default: that of temporary files)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


def cases_of(arguments):
    """Names of the cases that are asked for and can run here.

    Raises:
        UserError: If one that was named cannot.
    """
    found = []
    for name in arguments.only or _gallery_cases.CASES:
        why = None
        if name in NEEDS and not is_installed(NEEDS[name]):
            why = missing(NEEDS[name], f'case {name}')
        elif name == 'postgresql' and not arguments.server:
            why = UserError(f'case {name} needs --server URL')
        if why is None:
            found.append(name)
        elif arguments.only:
            raise why
        else:
            print(f'left out: {why}', file=sys.stderr)
    return found


def child(name, count, arguments):
    """Run a case in a fresh process; its figures as a dict.

    Raises:
        RuntimeError: If it fails; carries the end of what it said.
    """
    done = subprocess.run([sys.executable, '-m', _gallery_cases.__name__, name, str(count), str(arguments.repeats),
                           arguments.server or '', arguments.folder or ''], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'case {name} with {count:,} people ended with {done.returncode}: {done.stderr[-2000:]}')
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(figures):
    """Rows of benchmark JSON of one case."""
    case = f'{figures["name"]}, {figures["count"]:,}'
    sizes = figures['bytes']
    rows = [harness.row(f'{case}: enrol', [figures['enroll']], 'images/s'),
            harness.row(f'{case}: open to first answer', [figures['load']], 's'),
            harness.row(f'{case}: search', figures['search'], 'ms'),
            harness.row(f'{case}: search, processor', figures['processor'], 'ms'),
            harness.row(f'{case}: search of 16, each', figures['many'], 'ms'),
            harness.row(f'{case}: recall at 5', [figures['recall']], ''),
            harness.row(f'{case}: the same five in the same order', [float(figures['same_ranks'])], ''),
            harness.row(f'{case}: disk', [sizes['disk'] / 2 ** 20], 'MiB'),
            harness.row(f'{case}: peak memory', [sizes['peak'] / 2 ** 20], 'MiB')]
    if sizes['index'] > LARGE:
        speed = [sizes['index'] / value / 1e6 for value in figures['read']]
        rows += [harness.row(f'{case}: index', [sizes['index'] / 2 ** 20], 'MiB'),
                 harness.row(f'{case}: reading the index', speed, 'GB/s')]
    return rows


def ratios_of(figures, others):
    """Ratios of one case to what was measured beside it."""
    case, ratios = f'{figures["name"]}, {figures["count"]:,}', {}
    if figures['bytes']['index'] > LARGE:
        ratios[f'{case}: share of the bandwidth'] = harness.paired_ratio(figures['read'], figures['search'])
    rival = next((other for other in others if other['name'] == 'faiss' and other['count'] == figures['count']), None)
    if rival is not None and rival is not figures:
        ratios[f'{case}: FAISS flat over it'] = harness.row('', rival['search'], '')['median'] / harness.row(
            '', figures['search'], '')['median']
    return ratios


def _in_short(figures):
    """A line while the others are measured, which is left if one of them fails."""
    search, processor = (harness.row('', figures[key], 'ms')['median'] for key in ('search', 'processor'))
    return (f'  {figures["enroll"]:,.0f} images/s, search {search:.1f} ms, {processor:.1f} of the processor, recall '
            f'{figures["recall"]:.3f}')


def kills_of(name, arguments):
    """Row of what a gallery was like after kills.

    Raises:
        RuntimeError: If anything that was acknowledged is not there, or anything is half there.
    """
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        location = f'{arguments.server}#bench_kills' if name == 'postgresql' else f'{folder}/faces'
        report = _gallery_kills.kill_often(location, arguments.kills,
                                           key=bytes(range(32)) if name == 'encrypted' else None)
    if report['faults']:
        raise RuntimeError(f'{name} after {arguments.kills} kills: {report["faults"][:3]}')
    return harness.row(f'{name}: acknowledged and whole after {arguments.kills} kills', [report['acknowledged']],
                       'people')


def main(argv):
    """Run the cases, print the table and write the JSON."""
    arguments = parser().parse_args(argv)
    cases = cases_of(arguments)
    figures = []
    for count in arguments.people:
        for name in cases:
            print(f'{name}, {count:,} people ...', file=sys.stderr, flush=True)
            figures.append(child(name, count, arguments))
            print(_in_short(figures[-1]), file=sys.stderr, flush=True)
    rows = [line for each in figures for line in rows_of(each)]
    rows += [kills_of(name, arguments) for name in cases
             if arguments.kills and name in ('sqlite', 'encrypted', 'postgresql')]
    ratios = {key: value for each in figures for key, value in ratios_of(each, figures).items()}
    harness.show(harness.result('gallery', rows, ratios), arguments.out)
