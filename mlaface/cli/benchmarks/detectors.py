"""Detectors on composed pictures whose faces are known, and on photographs whose faces were counted.

Aligned faces of a set are put into backgrounds without faces: their points are those of the template they were aligned
to, moved as the face was. What they were aligned by was off by a few pixels itself, for every detector alike.

Examples:
  python tools/analysis/benchmark.py detectors --faces data/dev_lfw.bin --backgrounds backgrounds/
  python tools/analysis/benchmark.py detectors --faces data/dev_lfw.bin --backgrounds backgrounds/ \\
      --photographs t1.jpg=6 astronaut.png=1 --detectors yunet examples/own_detector/config.py
"""

from mlaface.cli.benchmarks import harness
from mlaface.cli.parts.arguments import command, count

SIDE = 640
# name: (faces in a picture, scale of the 112-pixel crop, degrees, what is done to it)
SITUATIONS = {'one': (1, 1.0, 0, None), 'several': (9, 1.0, 0, None), 'small, 40 px': (9, 0.36, 0, None),
              'small, 20 px': (9, 0.18, 0, None), 'large, 450 px': (1, 4.0, 0, None), 'turned 45': (4, 1.0, 45, None),
              'turned 90': (4, 1.0, 90, None), 'at the border': (1, 1.0, 0, 'border'), 'mask': (4, 1.0, 0, 'mask')}


def parser():
    """The command line."""
    cli = command('benchmark detectors', __doc__)
    cli.add_argument('--faces', required=True, metavar='BIN', help='verification set of aligned faces')
    cli.add_argument('--backgrounds', required=True, metavar='DIR', help='images without faces')
    cli.add_argument('--photographs', nargs='*', default=[], metavar='FILE=N', help='images with N faces')
    cli.add_argument('--detectors', nargs='+', default=['yunet'], help='names, or configs that have '
                     'detector = dict(...) (default: yunet)')
    cli.add_argument('--pictures', type=count, default=20, help='of each situation (default: 20)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


def compose(faces, backgrounds, situation, rng):
    """A picture and where its faces are.

    Args:
        faces (list[ndarray uint8 (112, 112, 3)]): Aligned.
        backgrounds (list[ndarray uint8 (640, 640, 3)]): To choose from.
        situation (tuple): Of ``SITUATIONS``.
        rng (Generator): What chooses.

    Returns:
        tuple: uint8 (640, 640, 3), and the points (K, 5, 2).
    """
    import cv2
    import numpy as np

    from mlaface.evaluation.images.alignment import TEMPLATE
    number, scale, degrees, change = situation
    picture, points = backgrounds[rng.integers(len(backgrounds))].copy(), []
    grid = int(np.ceil(np.sqrt(number)))
    for place, chosen in enumerate(rng.choice(len(faces), number, replace=False)):
        centre = (np.array([place % grid, place // grid]) + 0.5) * SIDE / grid
        if change == 'border':
            centre[0] = 112 * scale * 0.2  # three tenths of the crop lie outside
        matrix = cv2.getRotationMatrix2D((56, 56), degrees, scale)
        matrix[:, 2] += centre - 56
        face = masked(faces[chosen]) if change == 'mask' else faces[chosen]
        # shrunk by area first, as cameras do
        inside = cv2.warpAffine(np.full((112, 112), 255, np.uint8), matrix, (SIDE, SIDE)) > 127
        blurred = cv2.GaussianBlur(face, (0, 0), 0.4 / scale) if scale < 1 else face
        picture[inside] = cv2.warpAffine(blurred, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)[inside]
        points.append(TEMPLATE @ matrix[:, :2].T + matrix[:, 2])
    return picture, np.array(points)


def masked(face):
    """A face with nose and mouth under a cloth."""
    import cv2
    import numpy as np
    covered = face.copy()
    outline = np.array([[10, 68], [56, 60], [102, 68], [98, 100], [76, 112], [36, 112], [14, 100]])
    cv2.fillPoly(covered, [outline.reshape(-1, 1, 2)], (120, 170, 200))
    return covered


def matched(found, points):
    """For each known face the error of the nearest found one's points, over the distance between the eyes.

    Args:
        found (list[Detection]): What a detector gave.
        points (ndarray (K, 5, 2)): Known.

    Returns:
        list[float]: Errors of those that were found: their middles are within half that distance.
    """
    import numpy as np
    errors, left = [], [entry.points for entry in found]
    for face in points:
        eyes = np.linalg.norm(face[1] - face[0])
        away = [np.linalg.norm(other.mean(axis=0) - face.mean(axis=0)) for other in left]
        if away and min(away) < eyes / 2:
            nearest = left.pop(int(np.argmin(away)))
            errors.append(float(np.linalg.norm(nearest - face, axis=1).mean() / eyes))
    return errors


def situation_rows(name, detector, faces, backgrounds, pictures):
    """Rows of the table of one detector in all situations."""
    import numpy as np
    for situation, settings in SITUATIONS.items():
        rng, errors, known, found = np.random.default_rng(0), [], 0, 0
        for _ in range(pictures):
            picture, points = compose(faces, backgrounds, settings, rng)
            detections = detector.detect(picture)
            errors += matched(detections, points)
            known, found = known + len(points), found + len(detections)
        yield harness.row(f'{name}: {situation}, found', [len(errors) / known], 'share')
        yield harness.row(f'{name}: {situation}, point error', errors or [float('nan')], 'of the eyes\' distance')
        yield harness.row(f'{name}: {situation}, others a picture', [(found - len(errors)) / pictures], 'boxes')


def main(argv=None):
    """Measure as the arguments say."""
    args = parser().parse_args(argv)
    import cv2

    from mlaface.cli.parts.inference import detector_of
    from mlaface.datasets.formats.bin_set import read_bin
    from mlaface.datasets.formats.jpeg import decode
    from mlaface.inference.images import read_image
    from mlaface.inference.sources import open_sources
    faces = [decode(image) for image in read_bin(args.faces).images[:400]]
    plain = [source.read() for source in open_sources(args.backgrounds)]
    backgrounds = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in plain]
    detectors = {name: detector_of(name) for name in args.detectors}
    photographs = {path: read_image(path) for path in (entry.rpartition('=')[0] for entry in args.photographs)}
    rows = []
    for name, detector in detectors.items():
        rows += situation_rows(name, detector, faces, backgrounds, args.pictures)
        rows.append(harness.row(f'{name}: none, boxes', [sum(len(detector.detect(x)) for x in plain)],
                                f'in {len(plain)} images'))
        rows += [harness.row(f'{name}: {path}, boxes', [len(detector.detect(photographs[path]))], f'of {number}')
                 for path, _, number in (entry.rpartition('=') for entry in args.photographs)]
    ratios = {}
    for path, image in {'640 x 640': backgrounds[0], **photographs}.items():
        seconds = harness.measure({name: lambda it=it, image=image: it.detect(image)
                                   for name, it in detectors.items()}, 7)
        rows += [harness.row(f'{name}: {path}, time', [1000 * s for s in spent], 'ms')
                 for name, spent in seconds.items()]
        ratios.update({f'time on {path}, {name} over {args.detectors[0]}': harness.paired_ratio(
            spent, seconds[args.detectors[0]]) for name, spent in seconds.items() if name != args.detectors[0]})
    harness.show(harness.result('detectors', rows, ratios), args.out)
