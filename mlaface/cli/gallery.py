"""``mlaface gallery``: who is in a gallery, and what is done with it."""
import json
import sys

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.gallery import add_faces, add_gallery, enroll_file, given_embeddings, one_face, open_gallery
from mlaface.cli.parts.inference import add_detector, add_model, add_threshold, open_inferencer

EPILOG = """exit status: 0; verify: 0 the person, 1 somebody else, 2 no verdict; check: 1 for damage; 2 for an error

examples:
  mlaface gallery list staff.gallery
  mlaface gallery verify staff.gallery 'Ann Lee' photo.jpg
  mlaface gallery delete staff.gallery 'Ann Lee'     # and nothing of her is left in the files
  mlaface gallery export staff.gallery staff.jsonl
  mlaface gallery import new.gallery staff.jsonl"""


def make_parser():
    """The command's arguments."""
    parser = command('gallery', 'Look after a gallery of people.', EPILOG)
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    _add(actions, 'list', 'names, and how many images each has').add_argument(
        '--json', action='store_true', help='a line of JSON a person')
    _add(actions, 'info', 'model, size, encryption').add_argument('--json', action='store_true', help='a line of JSON')
    _add(actions, 'rename', 'give a person another name', 'NAME', 'NEW')
    _add(actions, 'delete', 'delete people, and clear the files of them', 'NAME...').add_argument(
        '--no-compact', action='store_true', help='leave the clearing to a later mlaface gallery compact')
    _add_verify(_add(actions, 'verify', 'is it this person?', 'NAME'))
    _add(actions, 'check', 'read everything and look for damage')
    _add(actions, 'import', 'enrol all of a file but what is there already, or nothing', 'FILE')
    _add(actions, 'export', 'write all to a .npz or .jsonl file, not encrypted', 'FILE')
    _add(actions, 'compact', 'clear the files of what was deleted, and make them smaller')
    return parser


def _add(actions, name, text, *places):
    parser = actions.add_parser(name, help=text, description=f'{text[0].upper()}{text[1:]}.')
    add_gallery(parser)
    for place in places:
        bare = place.removesuffix('...')
        parser.add_argument(bare.lower(), metavar=bare, **(dict(nargs='+') if bare != place else {}))
    return parser


def _add_verify(parser):
    parser.add_argument('image', nargs='?', metavar='IMAGE', help='of one face')
    parser.add_argument('--embeddings', metavar='FILE', help='.npz with one row of embeddings (1, D) in its place')
    parser.add_argument('--score', choices=('best', 'mean'), default='best', help='cosine with the best of the '
                        "person's images (default), or the mean over all")
    add_threshold(parser, 'decide')
    parser.add_argument('--json', action='store_true', help='a line of JSON')
    add_faces(parser)
    add_detector(parser)
    add_model(parser)


def main(argv=None):
    """Do what the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained(status=2):
        return ACTIONS[args.action](args) or 0


def _list(args):
    with open_gallery(args) as gallery:
        for name, images in gallery.people().items():
            print(json.dumps(dict(name=name, images=images), ensure_ascii=False) if args.json
                  else f'{images:6,}  {name}')


def _info(args):
    with open_gallery(args) as gallery:
        info = gallery.info()
    if args.json:
        print(json.dumps(info, ensure_ascii=False))
        return
    from mlaface.gallery.header import describe
    kept = 'checksums, not encrypted' if info['sealing'] == 'crc32' else f'encrypted ({info["sealing"]})'
    print(f'{info["gallery"]}: {info["people"]:,} people, {info["images"]:,} images, {info["bytes"] / 2**20:,.1f} MiB\n'
          f'  engine   {info["engine"]}\n  model    {describe(info["model"])}\n  kept     {kept}\n'
          f'  made     {info["created"]}')


def _rename(args):
    with open_gallery(args) as gallery:
        gallery.rename(args.name, args.new)
    print(f'{args.name} is now {args.new}')


def _delete(args):
    with open_gallery(args) as gallery:
        for name in args.name:
            print(f'{name}: {gallery.delete(name):,} images deleted', flush=True)
        if args.no_compact:
            print('the files may hold them until mlaface gallery compact')
        else:
            gallery.compact()


def _verify(args):
    if bool(args.image) == bool(args.embeddings):
        raise ValueError('give IMAGE, or --embeddings FILE; --help shows more')
    limit = dict(threshold=args.threshold, far=None)
    if args.embeddings:
        with open_gallery(args) as gallery:
            (_, *others), (embedding, *_) = given_embeddings(args.embeddings, gallery.model)
            if others:
                raise ValueError(f'{args.embeddings} holds {len(others) + 1} embeddings where one is asked for')
            match = gallery.verify(args.name, embedding, args.score)
    else:
        inferencer = open_inferencer(args, not args.aligned, far=args.far, threshold=args.threshold)
        with open_gallery(args, inferencer.model) as gallery:
            (source, faces), = inferencer.faces([args.image], args.aligned)
            match = gallery.verify(args.name, one_face(source, faces, args.largest).embedding, args.score)
        limit = inferencer.threshold() or limit
    same = None if limit['threshold'] is None else match.cosine >= limit['threshold']
    _tell(match, same, limit, args.json)
    return 2 if same is None else int(not same)


def _tell(match, same, limit, as_json):
    if as_json:
        print(json.dumps(dict(**match._asdict(), same=same, threshold=limit['threshold'], far=limit['far']),
                         ensure_ascii=False))
        return
    words = {None: 'no verdict without a threshold: give --threshold', True: f'this is {match.name}',
             False: f'this is not {match.name}'}
    against = '' if same is None else f' against a threshold of {limit["threshold"]:.4f}'
    print(f'{words[same]}: cosine {match.cosine:.4f}{against}')


def _check(args):
    with open_gallery(args) as gallery:
        damage = gallery.check()
        for line in damage:
            print(line)
        if not damage:
            people, images = gallery.engine.count()
            print(f'{gallery.place}: {people:,} people and {images:,} images are whole')
    return int(bool(damage))


def _import(args):
    enroll_file(args, args.file)


def _export(args):
    with open_gallery(args) as gallery:
        print(f'{gallery.export(args.file):,} images written to {args.file}, readable by whoever has it')


def _compact(args):
    with open_gallery(args) as gallery:
        before = gallery.info()['bytes']
        gallery.compact()
        print(f'{gallery.place}: {before / 2**20:,.1f} MiB before, {gallery.info()["bytes"] / 2**20:,.1f} MiB now')


ACTIONS = {'list': _list, 'info': _info, 'rename': _rename, 'delete': _delete, 'verify': _verify, 'check': _check,
           'import': _import, 'export': _export, 'compact': _compact}

if __name__ == '__main__':
    sys.exit(main())
