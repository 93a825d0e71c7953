"""Read every record of a .rec file and say where it is damaged; exit status 1 if it is."""
import argparse

from mlaface.datasets.formats.record_index import rebuild_index
from mlaface.datasets.formats.recordio import RecordReader


def main():
    """Scan the file; with ``--write-index`` write an index of the whole records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('records', help='the .rec file')
    parser.add_argument('--write-index', metavar='IDX', help='write an index of the whole records, keys 0, 1, ...')
    args = parser.parse_args()
    offsets, faults = rebuild_index(RecordReader(args.records), on_fault='skip')
    print(f'{args.records}: {len(offsets)} whole records, {len(faults)} faults')
    print('\n'.join(faults[:10]), end='\n' if faults else '')
    if args.write_index:
        from mlaface.utils.files import atomic_path
        with atomic_path(args.write_index) as temporary:
            temporary.write_text(''.join(f'{key}\t{offset}\n' for key, offset in enumerate(offsets)))
    raise SystemExit(1 if faults else 0)


if __name__ == '__main__':
    main()
