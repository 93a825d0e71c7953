"""``mlaface detect``: the faces of photographs, with boxes, points and scores."""
import json
import sys
from contextlib import suppress
from pathlib import Path

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.inference import Skipped, add_detector, open_detector, sources_of
from mlaface.cli.parts.progress import tracked
from mlaface.utils.texts import one_line

EPILOG = """exit status: 0, or 1 if an image could not be read

examples:
  mlaface detect group.jpg
  mlaface detect photos/ clip.mp4 --json > faces.jsonl
  mlaface detect photos/ --draw drawn/
  mlaface detect 0                                       the first camera, until Ctrl-C"""


def make_parser():
    """The command's arguments."""
    parser = command('detect', 'Find the faces of photographs.', EPILOG)
    parser.add_argument('sources', nargs='+', metavar='IMAGE', help='image, folder, video, or the number of a camera')
    parser.add_argument('--json', action='store_true', help='a line of JSON an image')
    parser.add_argument('--draw', metavar='DIR', help='write the images with boxes and points here')
    add_detector(parser)
    return parser


def main(argv=None):
    """Detect as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    skipped, drawn = Skipped(), set()
    with explained(), suppress(KeyboardInterrupt):  # how one stops a camera
        detector = open_detector(args)
        for name, image, found in tracked(_detections(detector, args, skipped), 'detecting'):
            print(json.dumps(record(name, image, found)) if args.json else one_line(f'{name}: {_listed(found)}'),
                  flush=True)
            if args.draw:
                draw(image, found, args.draw, _free(name, drawn))
    return int(skipped.count > 0)


def _detections(detector, args, skipped):
    """Name, image and list[Detection] of each image, decoded ahead."""
    from mlaface.inference.detectors.base import detect_any_way_up
    from mlaface.inference.sources import attempt, open_sources
    from mlaface.utils.ahead import map_ahead
    for name, image, error in map_ahead(attempt, open_sources(sources_of(args.sources)), args.workers):
        if error is not None:
            skipped(name, error)
        else:
            yield name, image, sorted(detect_any_way_up(detector, image), key=lambda face: -face.score)


def record(name, image, found):
    """An image's faces as JSON takes them."""
    faces = [dict(box=[round(float(x), 1) for x in face.box], score=round(face.score, 4),
                  points=[[round(float(x), 1) for x in point] for point in face.points]) for face in found]
    return dict(source=name, width=image.shape[1], height=image.shape[0], faces=faces)


def _listed(found):
    if not found:
        return 'no face'
    boxes = ', '.join('{:.0f}x{:.0f}+{:.0f}+{:.0f} ({:.2f})'.format(*(face.box[2:] - face.box[:2]), *face.box[:2],
                                                                   face.score) for face in found)
    return f'{len(found)} {"face" if len(found) == 1 else "faces"}: {boxes}'


def _free(name, drawn):
    """The last parts of an image's path, as many as tell it from those that were drawn before, as a file's name."""
    parts = [part for part in Path(name).parts if part not in ('/', '.', '..')]
    names = ['_'.join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
    name = next((each for each in names if each not in drawn), f'{names[-1]}_{len(drawn)}')
    drawn.add(name)
    return name


def draw(image, found, folder, name):
    """Write an image with its faces marked.

    Args:
        image (ndarray uint8 (H, W, 3)): RGB.
        found (list[Detection]): Its faces.
        folder (str): Where to.
        name (str): Of the file, without ``.png``.
    """
    import cv2
    Path(folder).mkdir(parents=True, exist_ok=True)
    shown, width = image[..., ::-1].copy(), max(1, max(image.shape) // 500)
    for face in found:
        (x1, y1), (x2, y2) = (tuple(map(int, corner)) for corner in face.box.reshape(2, 2))
        cv2.rectangle(shown, (x1, y1), (x2, y2), (80, 220, 80), width)
        for point in face.points:
            cv2.circle(shown, tuple(map(int, point)), 2 * width, (60, 60, 240), -1)
    Path(folder, f'{name}.png').write_bytes(cv2.imencode('.png', shown)[1].tobytes())


if __name__ == '__main__':
    sys.exit(main())
