"""``mlaface enroll``: keep people's faces in a gallery."""
import json
import sys
from pathlib import Path

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.gallery import (
    add_faces,
    add_gallery,
    enroll_file,
    file_of,
    one_face,
    open_gallery,
    tell_enrolled,
)
from mlaface.cli.parts.inference import Skipped, add_detector, add_model, open_inferencer
from mlaface.cli.parts.progress import tracked
from mlaface.utils.image_files import PHOTOGRAPHS, Listed, image_files, is_image

EPILOG = """exit status: 0 all is enrolled, 1 images of --people were left out, 2 an error; nothing of NAME is enrolled

The gallery is made if there is none, and is bound to the model. Images that a person has already are skipped: a command
that was stopped can be given again. Only embeddings are kept unless --keep-images is given.

examples:
  mlaface enroll staff.gallery 'Ann Lee' ann1.jpg ann2.jpg
  mlaface enroll staff.gallery --people photos/            # a folder a person, called by the name
  mlaface enroll staff.gallery --embeddings faces.npz      # names and embeddings
  mlaface enroll staff.gallery Bob bob.jpg --metadata '{"door": 3}'"""


def make_parser():
    """The command's arguments."""
    parser = command('enroll', 'Keep faces of people in a gallery.', EPILOG)
    add_gallery(parser)
    parser.add_argument('name', nargs='?', metavar='NAME', help='of the person')
    parser.add_argument('images', nargs='*', metavar='IMAGE', help='of this person, one face each')
    parser.add_argument('--people', metavar='FOLDER', help='a folder of folders, each called by a name')
    parser.add_argument('--embeddings', metavar='FILE', help='.npz or .jsonl as mlaface gallery export writes it; .npz '
                        'with names (N,) and embeddings (N, D) will do')
    parser.add_argument('--metadata', type=json.loads, metavar='JSON', help='kept with each image')
    parser.add_argument('--keep-images', action='store_true', help='keep the image files too')
    add_faces(parser)
    add_detector(parser)
    add_model(parser)
    return parser


def main(argv=None):
    """Enrol as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained(status=2):
        given = [bool(args.images), bool(args.people), bool(args.embeddings)]
        if sum(given) != 1 or (args.name and not args.images):
            raise ValueError('give NAME and IMAGE..., or --people FOLDER, or --embeddings FILE; --help shows examples')
        if args.embeddings:
            enroll_file(args, args.embeddings)
            return 0
        inferencer = open_inferencer(args, not args.aligned)
        with open_gallery(args, inferencer.model, create=True) as gallery:
            if args.images:
                counts = _enroll(gallery, inferencer, args, args.name, args.images)
                tell_enrolled(f'{args.name}: ', gallery, *counts)
                return 0
            return _enroll_people(gallery, inferencer, args)


def _enroll(gallery, inferencer, args, name, images, skipped=None):
    """Enrol images of a person: all of them, or all but those that ``skipped`` is told of; gives how many have a face
    to enrol, and how many of those were not there already."""
    from mlaface.gallery import Enrolment
    found = []
    for source, faces in inferencer.faces(images, args.aligned, skipped):
        if skipped is not None and source in skipped.names:
            continue
        try:
            embedding = one_face(source, faces, args.largest).embedding
        except ValueError as error:
            if skipped is None:
                raise
            skipped(source, error)
            continue
        found.append(Enrolment(name, embedding, args.metadata, file_of(source) if args.keep_images else None))
    return len(found), len(gallery.enroll_new(found))


def _enroll_people(gallery, inferencer, args):
    """Enrol a folder of people, one after the other: who was enrolled stays so if it ends on the way."""
    listed = Listed(args.people)
    if not listed.folders:
        raise ValueError(f'{args.people} has no folders, one a person')
    skipped, people, given, new = Skipped(), 0, 0, 0
    for name in listed.files:
        if is_image(name, PHOTOGRAPHS):
            skipped(name, f'{Path(args.people, name)} lies in no folder of a person')
    for name in tracked(listed.folders, 'enrolling'):
        folder = Path(args.people, name)
        files = [str(file) for file in image_files(folder)]
        found, added = _enroll(gallery, inferencer, args, name, files, skipped)
        people, given, new = people + (added > 0), given + found, new + added
        if not found:
            skipped(name, f'{folder}: nobody is enrolled of this folder, which has {len(files)} images')
    tell_enrolled(f'{people:,} people, ', gallery, given, new)
    return int(skipped.count > 0)


if __name__ == '__main__':
    sys.exit(main())
