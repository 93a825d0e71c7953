"""``mlaface cluster``: the faces of a folder by person."""
import json
import sys
from pathlib import Path

from mlaface.cli.parts.arguments import command, written_folder
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.inference import (
    Skipped,
    add_aligned,
    add_detector,
    add_model,
    add_threshold,
    open_inferencer,
    sources_of,
)
from mlaface.cli.parts.progress import tracked
from mlaface.utils.errors import InputError
from mlaface.utils.texts import one_line

EPILOG = """exit status: 0, or 1 if an image could not be read

examples:
  mlaface cluster photos/
  mlaface cluster photos/ --out people/                  a folder of crops for each person
  mlaface cluster aligned/ --aligned --threshold 0.4 --json"""


def make_parser():
    """The command's arguments."""
    parser = command('cluster', 'Group the faces of a folder by person.', EPILOG)
    parser.add_argument('sources', nargs='+', metavar='FOLDER', help='folders or images')
    add_aligned(parser)
    add_threshold(parser, 'group')
    parser.add_argument('--json', action='store_true', help='a line of JSON a person')
    parser.add_argument('--out', type=written_folder, metavar='DIR',
                        help='write the crops here, a folder a person')
    add_detector(parser)
    add_model(parser)
    return parser


def main(argv=None):
    """Cluster as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    skipped = Skipped()
    with explained():
        if args.out and any(Path(args.out).glob('person_*')):
            raise InputError(f'{args.out} holds people of an earlier call: give another folder, or remove them')
        inferencer = open_inferencer(args, not args.aligned, far=args.far, threshold=args.threshold)
        people = inferencer.cluster(sources_of(args.sources), args.aligned, skipped,
                                    lambda found: skipped.faceless(tracked(found, 'embedding')))
        for number, faces in enumerate(people):
            print(json.dumps(dict(person=number, faces=[face.record() for face in faces])) if args.json else one_line(
                f'person {number}: {len(faces)} {"face" if len(faces) == 1 else "faces"}: '
                f'{", ".join(face.source for face in faces)}'))
            if args.out:
                write_crops(faces, Path(args.out, f'person_{number:04}'))
    return int(skipped.count > 0)


def write_crops(faces, folder):
    """Write the crops of a person, named as their images and numbered."""
    from mlaface.datasets.formats.jpeg import encode
    folder.mkdir(parents=True, exist_ok=True)
    for number, face in enumerate(faces):
        file = folder / f'{number:04}_{Path(face.source).stem}.jpg'
        file.write_bytes(encode(face.crop.transpose(1, 2, 0)))


if __name__ == '__main__':
    sys.exit(main())
