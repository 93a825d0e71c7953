"""``mlaface embed``: photographs or aligned faces to embeddings."""
import json
import sys
from pathlib import Path

from mlaface.cli.parts.arguments import command, written_file
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.executors import add_executor, spread_of
from mlaface.cli.parts.inference import (
    Skipped,
    add_aligned,
    add_detector,
    add_model,
    open_inferencer,
    sources_of,
)
from mlaface.cli.parts.progress import tracked

EPILOG = """exit status: 0, or 1 if an image could not be read

A line of JSON a face: source, box, points, score, quality, embedding of unit length. An .npz file has embeddings
(N, D), names (N,), boxes (N, 4), points (N, 5, 2), scores (N,), norms (N,) and sha256 of the model.

examples:
  mlaface embed photos/ --out faces.npz
  mlaface embed aligned/ --aligned --out faces.jsonl
  mlaface embed photo.jpg --largest
  mlaface embed photos/ --out faces.npz --executor ray --executor-options address=head:6379"""


def make_parser():
    """The command's arguments."""
    parser = command('embed', 'Embed the faces of photographs.', EPILOG)
    parser.add_argument('sources', nargs='+', metavar='IMAGE', help='image, folder, video, or the number of a camera')
    parser.add_argument('--out', type=written_file, metavar='FILE',
                        help='.npz or .jsonl (default: lines of JSON on stdout)')
    add_aligned(parser)
    parser.add_argument('--largest', action='store_true', help='the largest face of an image only')
    add_detector(parser)
    add_model(parser)
    add_executor(parser)
    return parser


def main(argv=None):
    """Embed as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    skipped = Skipped()
    with explained():
        if args.out and Path(args.out).suffix not in ('.npz', '.jsonl'):
            raise ValueError(f'--out {args.out}: name a file .npz or .jsonl')
        spread, inferencer = spread_of(args), open_inferencer(args, not args.aligned)
        faces = _faces(inferencer, args, skipped, spread)
        if args.out is None:
            for face in faces:
                print(line(face), flush=True)
        else:
            written = write_faces(faces, inferencer, args.out)
            if spread:
                from mlaface.cli.parts.embedding import remove_pieces
                remove_pieces(args.out)
            print(f'{written} faces: {args.out}')
    return int(skipped.count > 0)


def _faces(inferencer, args, skipped, spread):
    if spread:
        from mlaface.cli.parts.embedding import faces_of_pieces
        found = faces_of_pieces(inferencer, args, skipped, spread)
    else:
        sources = sources_of(args.sources)
        if any(isinstance(source, int) for source in sources):
            inferencer.batch_size = 1  # a camera's faces are wanted as they come
        found = tracked(_by_piece(inferencer, sources, args, skipped), 'embedding')
    for _, faces in skipped.faceless(found):
        yield from faces[:1] if args.largest else faces


def _by_piece(inferencer, sources, args, skipped):
    """Faces of images; batches end where pieces do, so that an executor gives the same bytes."""
    from itertools import chain, islice

    from mlaface.inference.sources import open_sources
    images = open_sources(sources, inferencer.finder.max_pixels)
    for first in images:
        yield from inferencer.faces(chain([first], islice(images, args.piece_size - 1)), args.aligned, skipped)


def line(face):
    """A face as a line of JSON."""
    return json.dumps({**face.record(), 'embedding': [round(float(x), 7) for x in face.embedding]})


def write_faces(faces, inferencer, path):
    """Write faces, whole or not at all.

    Args:
        faces (iterable of Face): Embedded.
        inferencer (Inferencer): Whose model is named in the file.
        path (str): ``.npz`` or ``.jsonl``.

    Returns:
        int: How many.
    """
    from itertools import chain, islice

    from mlaface.utils.errors import FULL, FullDiskError
    from mlaface.utils.files import atomic_path
    faces = iter(faces)
    faces = chain(list(islice(faces, 1)), faces)  # by now pieces are done, and nothing is open yet
    try:
        with atomic_path(path) as temporary:
            if path.endswith('.npz'):
                return _write_arrays(list(faces), inferencer, temporary)
            with open(temporary, 'w', encoding='utf-8') as file:
                return sum(file.write(line(face) + '\n') > 0 for face in faces)
    except OSError as error:
        if error.errno in FULL:
            raise FullDiskError(f'{path}: the disk takes no more ({error.strerror}). Make room, and give the same '
                                'command again') from error
        raise


def _write_arrays(faces, inferencer, path):
    import numpy as np

    def stack(values, *shape):
        return np.float32(values).reshape(len(faces), *shape)
    with open(path, 'wb') as file:
        np.savez(file, embeddings=stack([face.embedding for face in faces], inferencer.model['embedding_size']),
                 names=np.array([face.source for face in faces], dtype=str), boxes=stack([f.box for f in faces], 4),
                 points=stack([f.points for f in faces], 5, 2), scores=stack([f.score for f in faces]),
                 norms=stack([f.quality['norm'] for f in faces]), sha256=inferencer.model['sha256'] or '')
    return len(faces)


if __name__ == '__main__':
    sys.exit(main())
