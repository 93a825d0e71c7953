"""Image files as a source of aligned faces."""
from pathlib import Path

import numpy as np

# the five points of ArcFace's alignment at 112 x 112: eyes, nose, corners of the mouth
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                     [70.7299, 92.2041]])


class ImageFiles:
    """Images by path, aligned by five points where these are given, scaled to size otherwise.

    Args:
        root (str | Path): Folder that the names start from.
        names (sequence of str): Files, in the order of the rows.
        landmarks (ndarray (N, 5, 2) or None): Points in pixels, x and y.
        size (tuple[int]): Height and width of the faces.

    ``scaled`` names an image that had another size and no points, with its height and width: such images should have
    been aligned before. ``same_as`` int (N,) tells for each row the first one of the same file; None with points, as a
    file may show several faces.

    Raises:
        FileNotFoundError: If files are missing; names the first ones.
    """
    scaled = None

    def __init__(self, root, names, landmarks=None, size=(112, 112)):
        self.root, self.names, self.landmarks, self.size = Path(root), names, landmarks, size
        check_files(self.root, names)
        first = {}
        self.same_as = None if landmarks is not None else np.array(
            [first.setdefault(name, row) for row, name in enumerate(names)])

    def __len__(self):
        return len(self.names)

    def read(self, rows):
        """Faces uint8 (N, 3, H, W), RGB, of rows (sequence of int)."""
        return np.stack([self._face(int(row)) for row in rows])

    def _face(self, row):
        import cv2
        data = np.fromfile(self.root / self.names[row], np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if image is None:
            raise ValueError(f'{self.root / self.names[row]} cannot be decoded as an image')
        height, width = self.size
        if self.landmarks is not None:
            matrix = similarity(self.landmarks[row], TEMPLATE * (width / 112, height / 112))
            image = cv2.warpAffine(image, matrix, (width, height))
        elif image.shape[:2] != (height, width):
            self.scaled, shrinks = (self.names[row], *image.shape[:2]), image.shape[0] > height
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return image[..., ::-1].transpose(2, 0, 1)


def check_files(root, names):
    """Refuse a list that names a missing image; folders are listed once, so that large sets are quick.

    Raises:
        FileNotFoundError: If files are missing; names the first five.
    """
    listed, missing = {}, []
    for name in dict.fromkeys(names):
        path = root / name
        if path.parent not in listed:
            listed[path.parent] = {entry.name for entry in path.parent.iterdir()} if path.parent.is_dir() else set()
        if path.name not in listed[path.parent]:
            missing.append(name)
    if missing:
        more = f' and {len(missing) - 5} more' if len(missing) > 5 else ''
        raise FileNotFoundError(f'{len(missing)} images of the list are not in {root}: {", ".join(missing[:5])}{more}')


def similarity(points, target):
    """The similarity that brings points nearest to a target (Umeyama 1991).

    Args:
        points (ndarray (K, 2)): From.
        target (ndarray (K, 2)): To.

    Returns:
        ndarray (2, 3): Rotation, scale and shift.
    """
    centre, aim = points.mean(axis=0), target.mean(axis=0)
    away, wanted = points - centre, target - aim
    left, lengths, right = np.linalg.svd(wanted.T @ away)
    turn = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    matrix = (left * turn) @ right * ((lengths * turn).sum() / (away ** 2).sum())
    return np.concatenate([matrix, (aim - matrix @ centre)[:, None]], axis=1)
