"""Is a set whole? Read all of it, or a sample, and say what is damaged; exit status 1 if anything is.

A .rec file is scanned record by record and compared with its index; of every set each image is decoded, or of --sample
images drawn at random, and then it is said how likely faults were missed. Killed, it goes on where it was when the same
command is given again, to the same output.

Examples:
  mlaface data verify data/ms1mv3
  mlaface data verify data/webface42m --sample 10000
  mlaface data verify train.rec --write-index train.idx      # of whole records
  mlaface data verify WebFace42M_tars --write-index          # so that tar files need not be walked through again
  mlaface data verify my_faces --write-list faulty.txt       # for exclude='faulty.txt'
  mlaface data verify my_faces --write-index                 # images.lst, for a web server, which cannot list
                                                             # them; the same of a folder of parquet files
"""
import json
import os
import sys
from pathlib import Path

from mlaface.cli.parts.arguments import command, count, count_from_zero, written_file
from mlaface.cli.parts.data_sets import SET_HELP, add_root, roots_of
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.progress import bar
from mlaface.cli.parts.steps import steps_of
from mlaface.cli.parts.summaries import add_json
from mlaface.datasets.stores.address import is_address
from mlaface.utils.texts import one_line


def parse(arguments=None):
    """Parse the command line."""
    parser = command('data verify', __doc__)
    parser.add_argument('set', help=SET_HELP + '; an .idx beside a .rec file is checked with it')
    parser.add_argument('--first', type=count_from_zero, default=10, help='faults to show (default: %(default)s)')
    parser.add_argument('--sample', type=count, metavar='N', help='look at N images only, drawn at random')
    parser.add_argument('--seed', type=count_from_zero, default=0, help='of the draw (default: 0)')
    parser.add_argument('--size', type=count, nargs=2, metavar=('H', 'W'), help='that every image must have')
    add_root(parser)
    parser.add_argument('--workers', type=count, default=os.cpu_count() or 1, metavar='N', help='threads (default: '
                        'one a processor)')
    parser.add_argument('--write-index', metavar='IDX', nargs='?', const='', help='write an index of the whole '
                        'records, under the keys of the .idx, or 0, 1, ... if there is none; of tar files index.npy '
                        'and shards.json beside them; of a folder of identities images.lst, a list of its images, of '
                        'one of parquet files a list of these')
    parser.add_argument('--write-list', type=written_file, metavar='FILE',
                        help='write the keys of images that cannot be used; those that the set passes over already '
                        'are remarks in it')
    add_json(parser)
    return parser.parse_args(arguments)


def records_of(path):
    """The .rec file (Path) of a set on this machine, or None."""
    if is_address(path):
        return None
    path = Path(path)
    inside = path / 'train.rec'
    return path if path.suffix == '.rec' else inside if inside.is_file() else None


def scan_records(file, args, say, keep):
    """Scan a .rec file as a container; its faults (list[str])."""
    from mlaface.datasets.prepare.kept_rows import files_hash
    from mlaface.datasets.prepare.verify import verify_records, write_index
    size = os.stat(file).st_size
    kept = keep('records', lambda: files_hash([file]), size, 'bytes')
    with bar('reading', size) as shown:
        offsets, faults = verify_records(file, shown.reach, kept)
    say(f'{file}: {len(offsets)} whole records, {len(faults)} faults')
    if args.write_index is not None:
        index = args.write_index or file.with_suffix('.idx')
        say(f'{index}: {write_index(file, offsets, index)} records')
    return faults


def list_files(args, say):
    """Write the list of a folder's parquet files, under label 0, or of its identities' images."""
    from mlaface.datasets.formats.image_list import IMAGE_LIST, write_list
    from mlaface.datasets.formats.parquet_set import find_files
    from mlaface.datasets.prepare.inspect import kind_of
    from mlaface.datasets.sets.folder_faces import FolderFaces
    folder = Path(args.set)
    path = Path(args.write_index or folder / IMAGE_LIST)
    if kind_of(folder) == 'ParquetFaces':
        names, what = [file.relative_to(folder).as_posix() for file in find_files(folder)], 'parquet files'
        labels = [0] * len(names)
    else:
        faces, what = FolderFaces(os.path.abspath(folder)), 'images'
        names, labels = [faces.key(index) for index in range(len(faces))], faces.labels.tolist()
    write_list(path, labels, names)
    say(f'{path}: {len(names)} {what}')


def steps_of_shards(shards, keep):
    """The steps (KeptSteps) of a walk over the heads of tar files (list[Path]), for their index and for its check."""
    from mlaface.datasets.prepare.kept_rows import files_hash
    return keep('shards', lambda: files_hash(shards), len(shards), 'tar files')


def steps_of_container(archive, keep):
    """The steps of a check of tar shards; None for other archives, whose check is short."""
    if not hasattr(archive, 'shards'):
        return None
    if archive.remote:
        return keep('heads', lambda: archive.version, len(archive), 'heads of images')
    return steps_of_shards(archive.shards, keep)


def index_shards(args, say, keep):
    """Write the index of tar files, or of a folder without any the list of its files."""
    from mlaface.datasets.formats.tar_shards import find_shards, scan_shards, write_shard_index
    from mlaface.utils.errors import InputError
    shards = find_shards(args.set)
    if not os.path.isdir(args.set):
        raise InputError(f'--write-index is for .rec files and folders of tar files, parquet files or identities; '
                         f'{args.set} is none')
    if not shards:
        return list_files(args, say)
    kept = steps_of_shards(shards, keep)
    with bar('reading', sum(shard.stat().st_size for shard in shards)) as shown:
        index, classes, further = scan_shards(shards, shown.reach, kept)
    folder = Path(args.set)
    if classes is not None:
        from mlaface.utils.files import atomic_path, sweep
        from mlaface.utils.names import name_lines
        names, text = folder / 'classes.txt', name_lines(classes).encode()
        if names.exists() and names.read_bytes() != text:
            raise InputError(f'{names} has other names than the folders in the tar files, which are the classes: '
                             'remove it')
        with atomic_path(names, renew=False) as temporary:
            temporary.write_bytes(text)
        sweep(folder, names.name)
    write_shard_index(folder, shards, index, further)
    say(f'{folder / "index.npy"}: {len(index)} images')


def verify_all(args, say, keep):
    """Verify container and images; the result as a dict."""
    from mlaface.datasets.key_lists import spell, stamped, write_keys
    from mlaface.datasets.prepare.inspect import open_set
    from mlaface.datasets.prepare.kept_rows import set_hash
    from mlaface.datasets.prepare.verify_set import Sample, draw_sample, passed_over, verify_images
    [root] = roots_of(args, args.set)
    records = records_of(args.set)
    whole = args.sample is None or args.write_index is not None
    faults = scan_records(records, args, say, keep) if records and whole else []
    if args.write_index is not None and not records:
        index_shards(args, say, keep)
    result = dict(schema=1, set=str(args.set), container_faults=faults)
    if faults:
        return dict(result, images=None, drawn=0, faulty=[], passed_over=0)
    dataset = open_set(args.set, root=root)
    archive = getattr(dataset, 'archive', None)
    if args.sample is None and archive is not None:
        result['container_faults'] = faults = archive.container_faults(steps_of_container(archive, keep))
    drawn = draw_sample(len(dataset), args.sample, args.seed)
    kept = keep('verify', lambda: set_hash(args.set, dataset), len(drawn), 'images', size=args.size,
                sample=args.sample and [args.sample, args.seed])
    with bar('decoding', len(drawn)) as shown:
        found = verify_images(dataset, drawn, args.size, args.workers, shown.reach, kept)
    over = passed_over(dataset)
    if args.write_list:  # what has no place in the set is a remark
        write_keys(args.write_list, found, '\n'.join([
            stamped(f'{len(found)} of {len(drawn)} images of {args.set} that cannot be used', args.set, dataset),
            *(f'passed over: {spell(key)}: {why}' for key, why in over)]))
    result.update(images=len(dataset), drawn=len(drawn), faulty=over + found, passed_over=len(over))
    if len(drawn) < len(dataset):
        sample = Sample(len(dataset), len(drawn), len(found))
        result.update(bound=sample.bound(), confidence=0.95, missed={faulty: sample.missed(faulty) for faulty in (
            1, 10, 100, 1000, 10_000) if faulty <= len(dataset)})
    return result


def show(result, first):
    """Print a result."""
    for fault in result['container_faults'][:first]:
        print(one_line(fault))
    if result['images'] is None:
        print('the images were not looked at: mend the file first')
        return
    over = result['passed_over']
    print(f'{result["drawn"]} of {result["images"]} images decoded, {len(result["faulty"]) - over} cannot be used' + (
        f'; {over} more are passed over' if over else ''))
    for key, fault in result['faulty'][:first]:
        print(one_line(f'{key}: {fault}'))
    if 'bound' in result:
        print(f'at 95% confidence at most {result["bound"]} images ({result["bound"] / result["images"]:.3%}) cannot '
              'be used; the chance of having drawn none of so many faulty ones:')
        print(', '.join(f'of {faulty} {chance:.3g}' for faulty, chance in result['missed'].items()))


def main(argv=None):
    """Verify as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    with explained(), steps_of(args.set) as keep:
        result = verify_all(args, lambda text: print(text, file=sys.stderr if args.json else sys.stdout), keep)
        if args.json:
            print(json.dumps(result))
        else:
            show(result, args.first)
    raise SystemExit(1 if result['container_faults'] or result['faulty'] else 0)
