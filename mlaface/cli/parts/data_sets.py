"""What the commands over data sets share: opening, measuring, embedding, progress, pictures for pages."""
import sys
from contextlib import contextmanager
from pathlib import Path

from mlaface.cli.parts.arguments import count
from mlaface.cli.parts.imports import add_imports
from mlaface.utils.errors import InputError

SET_HELP = 'folder with train.rec, a .rec or .bin file, or a folder of identities'


def add_work(parser):
    """How a set is read."""
    parser.add_argument('--workers', type=count, default=2, metavar='N', help='threads that read and decode '
                        '(default: 2)')


def add_embedding(parser):
    """Which network embeds the set, and where."""
    from mlaface.cli.parts.inference import add_model
    add_model(parser)
    parser.add_argument('--device', default='auto', help='cpu, cuda, cuda:1 (default: a GPU if there is one)')
    add_imports(parser)


@contextmanager
def bar(what, total):
    """A progress bar on stderr where that is a terminal; yields a function that is told how many are done besides."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    with Progress(what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True,
                  console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)


def open_labelled(path):
    """A set with labels; ``InputError`` for a benchmark of pairs, whose people are not known."""
    from mlaface.datasets.prepare.inspect import open_set
    dataset = open_set(path)
    if getattr(dataset, 'labels', None) is None or 'classes' not in dataset.metainfo:
        raise InputError(f'{path} has pairs and no identities: a training set or a folder of identities is needed')
    return dataset


def measured(path, dataset, workers):
    """``measure_set`` with a progress bar."""
    from mlaface.datasets.prepare.measures import measure_set
    with bar('reading', len(dataset)) as advance:
        return measure_set(path, dataset, workers, advance)


def embedded(path, dataset, network, args):
    """Embeddings of all images of a set, kept in the cache under the set's and the model's hash.

    Args:
        path (str): The set.
        dataset (FaceDataset): What was opened there.
        network (Network): The model.
        args (Namespace): ``flip``, ``batch_size``, ``workers``.

    Returns:
        ndarray: float32 (N, D), read-only, as the network makes them; rows of zeros for images that it cannot take.
    """
    import hashlib
    import json
    import tempfile

    import numpy as np

    from mlaface.datasets.prepare.kept_rows import KeptRows, fill, set_hash
    height, width = network.size
    stated = network.describe()
    dimension = network.embed(np.zeros((1, 3, height, width), np.uint8)).shape[1]
    flip = args.flip or 'none'
    dimension *= 2 if flip == 'concat' else 1
    model = hashlib.sha256(json.dumps([stated['sha256'], stated['input'], flip], default=str).encode()).hexdigest()
    name = f'{set_hash(path, dataset)[:32]}-{model[:16]}.rows'
    same = dataset.metainfo.get('same_as')
    distinct, places = (range(len(dataset)), None) if same is None else np.unique(same, return_inverse=True)
    with tempfile.TemporaryDirectory() as folder, bar('embedding', len(distinct)) as advance:
        kept = KeptRows(name, np.float32, (len(distinct), dimension), None if stated['sha256'] else folder)
        rows = fill(kept, lambda parts: _embed_parts(dataset, network, (distinct[part.start:part.stop] for part in
                                                                        parts), flip, args), advance)
        return rows[places] if places is not None else rows if stated['sha256'] else np.array(rows)


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


def usable_rows(rows, path, network):
    """Unit rows of embeddings; tells how many images have none, and ends where none has."""
    from mlaface.datasets.prepare.products import unit
    found = unit(rows)
    lost = int((abs(found).sum(1) == 0).sum())
    if lost == len(found):
        raise InputError(f'{path}: no image is a readable face of {network.size[0]}x{network.size[1]} pixels, as the '
                         'model needs: align them first (mlaface align)')
    if lost:
        print(f'{path}: {lost} images cannot be read or are not {network.size[0]}x{network.size[1]}: left out',
              file=sys.stderr)
    return found


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
