"""Read every record of a .rec file, follow its index, and say where they are damaged; exit status 1 if they are.

Examples:
  mlaface data verify data/ms1mv3/train.rec
  mlaface data verify train.rec --write-index train.idx
"""
import argparse
import os
import sys

from mlaface.cli.parts.errors import explained


def parse(arguments=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='mlaface data verify', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('records', help='the .rec file; an .idx of the same name is checked with it')
    parser.add_argument('--first', type=int, default=10, help='faults to show (default: %(default)s)')
    parser.add_argument('--write-index', metavar='IDX', help='write an index of the whole records, under the keys of '
                                                             'the .idx, or 0, 1, ... if there is none')
    return parser.parse_args(arguments)


def main(argv=None):
    """Scan the file, and index what is whole; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from mlaface.datasets.prepare.verify import verify_records, write_index
    with explained():
        with Progress('reading', BarColumn(), DownloadColumn(), TimeRemainingColumn(), transient=True,
                      disable=not sys.stdout.isatty()) as progress:
            task = progress.add_task('reading', total=os.stat(args.records).st_size)
            offsets, faults = verify_records(args.records, lambda offset: progress.update(task, completed=offset))
        print(f'{args.records}: {len(offsets)} whole records, {len(faults)} faults')
        print('\n'.join(faults[:args.first]), end='\n' if faults else '')
        if args.write_index:
            print(f'{args.write_index}: {write_index(args.records, offsets, args.write_index)} records')
    raise SystemExit(1 if faults else 0)
