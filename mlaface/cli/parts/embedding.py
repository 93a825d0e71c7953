"""``mlaface embed`` in pieces: images to embedded faces, by nodes."""
import json
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np

from mlaface.cli.parts.executors import as_arguments, portable
from mlaface.cli.parts.inference import open_inferencer, sources_of
from mlaface.inference.face import Face
from mlaface.inference.images import read_image
from mlaface.inference.sources import VIDEOS, Source, open_sources
from mlaface.utils.errors import InputError

KEYS = ('model', 'config', 'color', 'mean', 'std', 'flip', 'batch_size', 'detector', 'min_score', 'device', 'imports',
        'aligned')


def faces_of_pieces(inferencer, args, skipped, spread):
    """``Inferencer.faces`` by nodes; the pieces lie beside ``args.out``, until ``remove_pieces``.

    Args:
        inferencer (Inferencer): Whose model it is.
        args (Namespace): Of ``mlaface embed``.
        skipped (callable): See ``Inferencer.faces``.
        spread (Spread): The nodes.

    Yields:
        tuple: Name of the image, and list[Face], without crops.

    Raises:
        InputError: If there is no file to write, or a source is no image file.
    """
    from mlaface.utils.executors.job import Job, ranges
    if args.out is None:
        raise InputError('--executor needs --out FILE: the pieces lie beside it')
    sources = sources_of(args.sources)
    for source in sources:
        if isinstance(source, int) or Path(source).suffix.lower() in VIDEOS:
            raise InputError(f'{source}: a video or a camera is one stream, which --executor cannot cut: leave it out')
    names = [source.name for source in open_sources(sources)]
    values = portable(args, 'model', 'config', 'detector')
    inputs = dict({key: values[key] for key in KEYS}, names=names, folder=os.getcwd(),
                  stamps=[_stamp(name) for name in names], model=inferencer.model)
    folder = Path(f'{args.out}.pieces').absolute()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'names.json').write_text(json.dumps(names))
    job = spread.run(Job(folder, f'{__name__}:open_pieces', dict(names=str(folder / 'names.json'), folder=os.getcwd(),
                                                                values=values),
                         ranges(len(names), spread.size), inputs), 'embedding')
    for content in job.contents():
        yield from _faces(content, skipped)


def _stamp(name):
    """What tells an image from another of its name, or None for a link to nothing, which its piece passes over."""
    try:
        stat = os.stat(name)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def remove_pieces(out):
    """Remove what ``faces_of_pieces`` left beside a file (str) that is written now."""
    shutil.rmtree(f'{out}.pieces', ignore_errors=True)


def open_pieces(names, folder, values):
    """What embeds the faces of a piece, in the process of a node."""
    names, args = json.loads(Path(names).read_bytes()), as_arguments(values)
    inferencer = open_inferencer(args, not args.aligned)

    def make(piece, file):
        lost, table, rows = {}, [], []
        images = [Source(name, partial(read_image, Path(folder, name), inferencer.finder.max_pixels))
                  for name in names[slice(*piece)]]
        for name, faces in inferencer.faces(images, args.aligned, lambda name, error: lost.update({name: str(error)})):
            rows += [face.embedding for face in faces]
            table.append([name, lost.get(name), [_plain(face) for face in faces]])
        rows = np.stack(rows) if rows else np.zeros((0, 1), np.float32)
        np.savez(file, table=np.frombuffer(json.dumps(table).encode(), np.uint8), rows=rows)
    return make


def _plain(face):
    return dict(box=face.box.tolist(), points=face.points.tolist(), score=float(face.score), source=face.source,
                quality={key: float(value) for key, value in face.quality.items()})


def _faces(content, skipped):
    """Names and faces of a piece's bytes."""
    from mlaface.datasets.prepare.parts import arrays_of
    table, rows = arrays_of(content)
    place = iter(rows)
    for name, lost, faces in json.loads(table.tobytes()):
        if lost is not None:
            skipped(name, lost)
        yield name, [Face(np.float32(face['box']), np.float32(face['points']), face['score'], None, next(place),
                          face['quality'], face['source']) for face in faces]
