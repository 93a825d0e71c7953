"""What the commands over data sets share: opening, measuring, embedding, progress, pictures for pages."""
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlaface.cli.parts.arguments import count
from mlaface.cli.parts.imports import add_imports
from mlaface.cli.parts.progress import bar
from mlaface.cli.parts.steps import resumed
from mlaface.utils.errors import InputError

SET_HELP = ('a folder of identities, a .rec, .lst, .tar, .tsv, .parquet, .mdb or .bin file, or a folder of such files; '
            'or its address in a store: s3://BUCKET/SET, https://HOST/SET')


def add_work(parser):
    """How a set is read."""
    parser.add_argument('--workers', type=count, default=2, metavar='N', help='threads that read and decode '
                        '(default: 2)')


def add_root(parser):
    """Where the images of a list lie."""
    parser.add_argument('--root', metavar='DIR', help='of a .lst: the folder that its paths start from, as im2rec took '
                        'it, or its address (default: that of the .lst)')


def root_of(path, args):
    """What ``--root`` says of a set (str): an absolute path or an address; None of what is no ``.lst``."""
    from mlaface.datasets.location import absolute
    return absolute(args.root) if args.root and path.endswith('.lst') else None


def roots_of(args, *paths):
    """``root_of`` each set (list); ``InputError`` for a ``--root`` where none of them is a ``.lst``."""
    if args.root and not any(path.endswith('.lst') for path in paths):
        raise InputError('--root would do nothing: it is where the images of a .lst lie, and there is none')
    return [root_of(path, args) for path in paths]


def add_image_size(parser):
    """Which images are aligned faces."""
    parser.add_argument('--image-size', type=count, nargs=2, default=(112, 112), metavar=('HEIGHT', 'WIDTH'),
                        help='what an image must have (default: 112 112)')


def add_embedding(parser):
    """Which network embeds the set, and where."""
    from mlaface.cli.parts.inference import add_model
    add_model(parser)
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:1 (default: a GPU if there is one)')
    add_imports(parser)


def open_labelled(path, root=None):
    """A set with labels; ``InputError`` for a benchmark of pairs, whose people are not known."""
    from mlaface.datasets.prepare.inspect import open_set
    dataset = open_set(path, root=root)
    if getattr(dataset, 'labels', None) is None or 'classes' not in dataset.metainfo:
        raise InputError(f'{path} has pairs and no identities: a training set or a folder of identities is needed')
    return dataset


def measured(path, dataset, workers, spread=None, out=None, root=None):
    """``measure_set`` with a progress bar; with ``spread`` by nodes, in pieces below the folder ``out``."""
    from mlaface.datasets.prepare.measures import measure_in_pieces, measure_set
    if spread:
        rows = measure_in_pieces(path, dataset, workers, Path(out, 'pieces'), spread.size,
                                 lambda job: spread.run(job, 'reading'), root)
        with suppress(OSError):
            Path(out, 'pieces').rmdir()
        return rows
    with bar('reading', len(dataset)) as advance:
        return measure_set(path, dataset, workers, resumed(path, len(dataset), advance))


class LookedAt(NamedTuple):
    """Images of a set that can be used, and why the others cannot.

    Args:
        good (ndarray (N,)): bool.
        faults (dict[int, str]): What is wrong, by row.
        counts (dict[str, int]): ``unreadable`` and ``wrong_size``, for the summary.
        words (list[str]): The same for people: a line, or none where all can be used.
    """
    good: Any
    faults: dict
    counts: dict
    words: list


def looked_at(path, dataset, args):
    """Decode all images of a set, as ``measured`` does and keeps; tells how many training would stop at.

    Args:
        path (str): The set.
        dataset (FaceDataset): What was opened there.
        args (Namespace): ``workers``, ``image_size``.

    Returns:
        LookedAt: Which can be used.

    Raises:
        InputError: If none can.
    """
    import numpy as np

    from mlaface.datasets.prepare.measures import unusable
    measures, (height, width) = measured(path, dataset, args.workers), args.image_size
    unreadable, wrong_size = unusable(measures, args.image_size)
    good = ~(unreadable | wrong_size)
    _tell_lost(int((~good).sum()), len(good), path, args.image_size, 'as --image-size says')
    faults = {row: 'cannot be read' if unreadable[row] else
              f'{measures["height"][row]}x{measures["width"][row]} pixels, expected are {height}x{width}'
              for row in np.flatnonzero(~good).tolist()}
    counts = dict(unreadable=int(unreadable.sum()), wrong_size=int(wrong_size.sum()))
    words = [f'{counts["unreadable"]} images cannot be read, and {counts["wrong_size"]} are not {height}x{width}: they '
             'are listed to be left out']
    return LookedAt(good, faults, counts, words if faults else [])


def open_embedding(args):
    """``open_model`` of the arguments; tells where what it embeds is not kept for a kill, since it has no hash."""
    from mlaface.cli.parts.inference import open_model
    network = open_model(args)
    if not network.describe()['sha256']:
        print(f'{args.model}: after a kill embedding would begin anew, since a function cannot be told from another',
              file=sys.stderr)
    return network


def embedded(path, dataset, network, args, spread=None):
    """Embeddings of all images of a set, kept in the cache under the set's and the model's hash.

    Args:
        path (str): The set.
        dataset (FaceDataset): What was opened there.
        network (Network): The model.
        args (Namespace): ``flip``, ``batch_size``, ``workers``; with ``spread`` the whole command's, and ``out``.
        spread (Spread, optional): Nodes that embed, in pieces below ``args.out``.

    Returns:
        ndarray: float32 (N, D), read-only, as the network makes them; rows of zeros for images that it cannot take.
    """
    import numpy as np

    from mlaface.datasets.prepare.kept_rows import KeptRows, fill
    height, width = network.size
    dimension = network.embed(np.zeros((1, 3, height, width), np.uint8)).shape[1]
    flip, known = args.flip or 'none', network.describe()['sha256']
    dimension *= 2 if flip == 'concat' else 1
    name = rows_name(path, dataset, network, flip)
    same = dataset.metainfo.get('same_as')
    distinct, places = (range(len(dataset)), None) if same is None else np.unique(same, return_inverse=True)
    with nullcontext() if known else _passing() as folder:
        kept = KeptRows(name, np.float32, (len(distinct), dimension), folder)
        if spread and kept.missing():
            rows = _from_pieces(spread, kept, path, args)
        else:
            with bar('embedding', len(distinct)) as advance:
                rows = fill(kept, lambda parts: _embed_parts(dataset, network, (
                    distinct[part.start:part.stop] for part in parts), flip, args), resumed(
                        path, len(distinct), advance))
        return rows[places] if places is not None else rows if known else np.array(rows)


def _passing():
    """A folder of rows that no later call takes (context manager); those of calls that were killed go."""
    from mlaface.utils.cache import cache_folder
    from mlaface.utils.files import sweep, temporary_folder
    sweep(folder := cache_folder('sets'), 'rows')
    return temporary_folder(folder, 'rows')


def rows_name(path, dataset, network, flip):
    """What the file of a set's embeddings is called (str), by set, model and flip.

    A function as a model has no hash and may be another one the next time: its name never comes again.
    """
    import hashlib
    import json
    import secrets

    from mlaface.datasets.prepare.kept_rows import set_hash
    stated = network.describe()
    told = [stated['sha256'] or secrets.token_hex(), stated['input'], flip]
    model = hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()
    return f'{set_hash(path, dataset)[:32]}-{model[:16]}.rows'


def _from_pieces(spread, kept, path, args):
    """Rows that nodes embed, put together in the cache."""
    from mlaface.cli.parts.executors import portable
    from mlaface.datasets.location import absolute
    from mlaface.datasets.prepare.kept_rows import CHUNK, fill_from
    from mlaface.utils.executors.job import Job, ranges
    values = portable(args, 'model', 'config')
    inputs = dict(rows=kept.path.name, device=args.device, batch_size=args.batch_size)
    job = spread.run(Job(Path(args.out, 'pieces', kept.path.stem), f'{__name__}:open_embedder',
                         dict(path=absolute(path), values=values, root=root_of(path, args)),
                         ranges(kept.shape[0], spread.size, CHUNK), inputs), 'embedding')
    rows = fill_from(kept, job)
    job.remove()
    return rows


def open_embedder(path, values, root=None):
    """What embeds a piece of a set, in the process of a node; arguments as ``_from_pieces`` gives them."""
    import numpy as np

    from mlaface.cli.parts.executors import as_arguments
    from mlaface.cli.parts.inference import open_model
    from mlaface.datasets.prepare.inspect import open_set
    from mlaface.datasets.prepare.kept_rows import CHUNK
    args, dataset = as_arguments(values), open_set(path, root=root)
    network, same = open_model(args), dataset.metainfo.get('same_as')
    distinct = range(len(dataset)) if same is None else np.unique(same)

    def make(piece, file):
        parts = (distinct[start:min(start + CHUNK, piece[1])] for start in range(*piece, CHUNK))
        for rows in _embed_parts(dataset, network, parts, args.flip or 'none', args):
            file.write(np.ascontiguousarray(rows, np.float32).tobytes())
    return make


def _embed_parts(dataset, network, parts, flip, args):
    """Embeddings of each part of rows, the next ones read in the meantime."""
    import numpy as np

    from mlaface.utils.ahead import map_ahead
    for images, good in map_ahead(lambda part: _faces(dataset, part, network.size), parts, args.workers):
        found = None
        for start in range(0, len(images), args.batch_size):
            batch = images[start:start + args.batch_size]
            rows = network.embed(batch)
            if flip != 'none':
                mirrored = network.embed(np.ascontiguousarray(batch[..., ::-1]))
                rows = rows + mirrored if flip == 'sum' else np.concatenate([rows, mirrored], 1)
            found = np.zeros((len(images), rows.shape[1]), np.float32) if found is None else found
            found[start:start + len(batch)] = rows
        found[~good | ~np.isfinite(found).all(1)] = 0
        yield found


def _faces(dataset, part, size):
    """Images uint8 (N, 3, H, W) of rows, and which of them could be read and have the size (N,)."""
    import numpy as np

    from mlaface.datasets.formats.errors import FormatError
    from mlaface.datasets.formats.jpeg import decode_face
    images, good = np.zeros((len(part), *size, 3), np.uint8), np.zeros(len(part), bool)
    for place, index in enumerate(part):
        try:
            images[place] = decode_face(dataset.encoded(int(index))[1], size)
            good[place] = True
        except FormatError:
            continue
    return images.transpose(0, 3, 1, 2), good


def products_device(args):
    """Where products are computed: on the GPU that was asked for by ``--device``, else by the processor."""
    return args.device if args.device.startswith('cuda') else 'cpu'


def usable_rows(rows, path, network):
    """Unit rows of embeddings; tells how many images have none, and ends where none has."""
    from mlaface.datasets.prepare.products import unit
    return _told(unit(rows), path, network)


def _told(found, path, network):
    from mlaface.datasets.prepare.products import not_zero
    _tell_lost(len(found) - int(not_zero(found).sum()), len(found), path, network.size, 'as the model needs')
    return found


def _tell_lost(lost, total, path, size, who):
    """Say how many of so many images are left out; all of them is an error."""
    height, width = size
    if lost == total:
        raise InputError(f'{path}: no image is a readable face of {height}x{width} pixels, {who}: align them first '
                         '(mlaface align)')
    if lost:
        print(f'{path}: {lost} images cannot be read or are not {height}x{width}: left out', file=sys.stderr)


def shared_rows(rows, path, network, spread, args, name):
    """``usable_rows`` in a file below ``args.out`` that all nodes see, and what has parts of a search made there.

    Args:
        rows (ndarray): From ``embedded``.
        path, network: Of the messages.
        spread (Spread | None): None: all of it is done here.
        args (Namespace): ``out``.
        name (str): From ``rows_name``.

    Returns:
        tuple[ndarray, Parts]: For ``find_leaks`` and ``clean``.
    """
    from mlaface.datasets.prepare.parts import Parts, PiecedParts, unit_file
    if spread is None:
        return usable_rows(rows, path, network), Parts()
    folder = Path(args.out, 'pieces')
    found = _told(unit_file(rows, folder / f'{Path(name).stem}.npy'), path, network)
    return found, PiecedParts(folder, name, found, spread.size, spread.run)


def parts_of(rows, spread, out):
    """As ``shared_rows``, of unit rows (ndarray) that are in memory; ``out`` (str) is the command's folder."""
    import numpy as np

    from mlaface.datasets.prepare.parts import Parts, PiecedParts
    from mlaface.utils.checksums import crc32
    from mlaface.utils.files import atomic_path
    if spread is None:
        return rows, Parts()
    path = Path(out, 'pieces', f'{crc32(rows):08x}-{len(rows)}.npy').absolute()
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        np.save(file, rows)
    rows = np.load(path, mmap_mode='c')
    return rows, PiecedParts(path.parent, path.name, rows, spread.size, spread.run)


def picture(dataset, index, side=84):
    """An image of a set for a page: a small JPEG as a ``data:`` address, or None if it cannot be read."""
    import base64

    import cv2

    from mlaface.datasets.formats.errors import FormatError
    from mlaface.datasets.formats.jpeg import decode, encode
    try:
        image = decode(dataset.encoded(index)[1])
    except FormatError:
        return None
    scale = side / max(image.shape[:2])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return 'data:image/jpeg;base64,' + base64.b64encode(encode(image, 80)).decode()


def tile(dataset, index, note):
    """A picture with what stands under it, for the pages (dict)."""
    return dict(image=picture(dataset, index), name=dataset.key(index), note=note)


def page(template, values, path):
    """Write a page of ``mlaface/cli/parts/pages`` (str), one file with everything in it."""
    from mlaface.evaluation.report.page import write_page
    return write_page(template, values, Path(path), Path(__file__).parent / 'pages')
