"""``mlaface identify``: who in a gallery is it, if anybody?"""
import json
import sys

from mlaface.cli.parts.arguments import command, count
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.gallery import add_faces, add_gallery, given_embeddings, open_gallery, warn_of_strangers
from mlaface.cli.parts.inference import (
    Skipped,
    add_detector,
    add_model,
    add_threshold,
    open_inferencer,
    sources_of,
)
from mlaface.cli.parts.progress import tracked
from mlaface.utils.errors import InputError

EPILOG = """exit status:
  0 every face is somebody's,
  1 a face is nobody's who is enrolled, or an image has none or is torn,
  2 no verdict (an error, or no threshold)

examples:
  mlaface identify staff.gallery photo.jpg
  mlaface identify staff.gallery door/ --far 1e-6 --json
  mlaface identify staff.gallery --embeddings faces.npz --threshold 0.4"""


def make_parser():
    """The command's arguments."""
    parser = command('identify', 'Name the faces in photographs.', EPILOG)
    add_gallery(parser)
    parser.add_argument('images', nargs='*', metavar='IMAGE', help='image, folder, video, or the number of a camera')
    parser.add_argument('--embeddings', metavar='FILE', help='.npz with embeddings (N, D), as mlaface embed writes it')
    parser.add_argument('-k', type=count, default=5, metavar='N', help='people that are named at most (default: 5)')
    parser.add_argument('--score', choices=('best', 'mean'), default='best', help="a person's score: that of the best "
                        'image (default), or the mean over all')
    add_threshold(parser, 'name people')
    parser.add_argument('--json', action='store_true', help='a line of JSON a face')
    add_faces(parser)
    add_detector(parser)
    add_model(parser)
    return parser


def main(argv=None):
    """Identify as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    skipped = Skipped()
    with explained(status=2):
        if bool(args.images) == bool(args.embeddings):
            raise ValueError('give IMAGE..., or --embeddings FILE; --help shows examples')
        if args.embeddings:
            with open_gallery(args) as gallery:
                limit, why = _limit_of(gallery.model, args)
                strangers = _identify(gallery, _given(args, gallery), limit, args)
        else:
            inferencer = open_inferencer(args, not args.aligned, far=args.far, threshold=args.threshold)
            limit = inferencer.threshold()
            limit, why = (limit, None) if limit else (dict(threshold=None, far=None), inferencer.why_no_threshold)
            with open_gallery(args, inferencer.model) as gallery:
                strangers = _identify(gallery, _found(inferencer, args, skipped), limit, args)
    if limit['threshold'] is None:
        print(f'no verdict, so that the best are shown whoever they are: {why}; or give --threshold', file=sys.stderr)
        return 2
    return int(strangers + skipped.count > 0)


def _limit_of(model, args):
    """The threshold for embeddings of a gallery's model, as the arguments ask for it, and why there is none."""
    from mlaface.inference.thresholds import find_thresholds, threshold_at
    none = dict(threshold=None, far=None)
    if args.threshold is not None:
        return dict(none, threshold=args.threshold), None
    report, why = find_thresholds(dict(file=None, sha256=model['sha256'], name=model['name']))
    try:
        return threshold_at(report, args.far, model.get('flip', 'none')) if report else none, why
    except InputError as error:
        return none, str(error)


def _given(args, gallery):
    """Batches of (entry, embedding) of a file."""
    names, rows = given_embeddings(args.embeddings, gallery.model)
    yield [(dict(source=name), row) for name, row in zip(names, rows)]


def _found(inferencer, args, skipped):
    """Batches of (entry, embedding), one an image; an image without a face is skipped."""
    for source, faces in tracked(inferencer.faces(sources_of(args.images), args.aligned, skipped), 'identifying'):
        if not faces and source not in skipped.names:
            skipped(source, f'no face in {source}')
        yield [(dict(source=source, box=[round(float(x), 1) for x in face.box]), face.embedding)
               for face in (faces[:1] if args.largest else faces)]


def _identify(gallery, batches, limit, args):
    """Print who each face is; gives how many are nobody's."""
    import numpy as np
    people, _ = gallery.engine.count()
    if not people:
        print(f'note: nobody is enrolled in {gallery.place}', file=sys.stderr)
    warn_of_strangers(limit['far'], people)
    strangers = 0
    for batch in batches:
        rows = np.stack([row for _, row in batch]) if batch else np.empty((0, gallery.size))
        for (entry, _), matches in zip(batch, gallery.identify(rows, args.k, limit['threshold'], args.score)):
            strangers += not matches
            print(json.dumps(_record(entry, matches, limit), ensure_ascii=False) if args.json
                  else _line(entry, matches), flush=True)
    return strangers


def _record(entry, matches, limit):
    return dict(**entry, matches=[dict(name=match.name, cosine=round(match.cosine, 6), image=match.image)
                                  for match in matches], threshold=limit['threshold'], far=limit['far'])


def _line(entry, matches):
    where = ' at {:.0f},{:.0f}'.format(*entry['box'][:2]) if 'box' in entry else ''
    named = ', '.join(f'{match.name} ({match.cosine:.3f})' for match in matches)
    return f'{entry["source"]}{where}: {named or "nobody who is enrolled"}'


if __name__ == '__main__':
    sys.exit(main())
