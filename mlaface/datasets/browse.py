"""Training images to look at: as they are, and as transforms make them."""
import copy

import cv2
import numpy as np

from mlaface.datasets.sets._base import FaceDataset, image_generator
from mlaface.utils.files import atomic_path

MARGIN = 130  # pixels for the titles of the rows


class DrawnFaces(FaceDataset):
    """The built-in drawn faces of some people, an image of each; nothing is read.

    Args:
        people (int): How many.
        transforms (Sequence[dict]): See ``FaceDataset``.
        seed (int): Of the transforms.
    """

    def __init__(self, people, transforms=(), seed=0):
        from mlaface.datasets.synthetic.official import draw
        super().__init__(transforms, seed=seed)
        self.faces = [person[0] for person in draw(people, 1)]

    def __len__(self):
        return len(self.faces)

    def where(self, index):
        """Number of a person."""
        return f'drawn person {index}'

    def encoded(self, index):
        """Label and encoded image of a sample."""
        return dict(labels=index), self.faces[index]


def plain(dataset, index):
    """An image of a data set without its transforms, uint8 (H, W, 3)."""
    bare = copy.copy(dataset)
    bare.transforms = []
    return _image(bare, index)


def _image(dataset, draw):
    return np.ascontiguousarray(np.asarray(dataset[draw]['images']).transpose(1, 2, 0))


def by_epochs(dataset, indices, epochs):
    """Rows of a sheet: the images as they are, then as training sees them in the first epochs.

    Args:
        dataset (Dataset): Of training.
        indices (Sequence[int]): Of the images.
        epochs (int): How many.

    Returns:
        list[tuple[str, list[ndarray]]]: Title, and an image uint8 (H, W, 3) for each index.
    """
    rows = [('as they are', [plain(dataset, index) for index in indices])]
    return rows + [(f'epoch {epoch}', [_image(dataset, epoch * len(dataset) + index) for index in indices])
                   for epoch in range(epochs)]


def by_transforms(dataset, indices):
    """Rows of a sheet: the images as they are, then under each transform alone, applied to every one.

    Args:
        dataset (FaceDataset): With ``transforms``.
        indices (Sequence[int]): Of the images.

    Returns:
        list[tuple[str, list[ndarray]]]: As ``by_epochs``.
    """
    faces = [plain(dataset, index) for index in indices]
    rows = [('as they are', faces)]
    for transform in dataset.transforms:
        alone, inner = copy.copy(transform), getattr(transform, 'transform', None)
        if hasattr(alone, 'prob'):
            alone.prob = 1.0
        title = type(alone if inner is None else inner).__name__
        rows.append((title, [alone(face.copy(), image_generator(dataset.seed, 0, index))
                             for face, index in zip(faces, indices)]))
    return rows


def write_sheet(path, rows):
    """Write rows of images with their titles as a PNG.

    Args:
        path (str | Path): The file.
        rows (list[tuple[str, list[ndarray]]]): Title and images uint8 (H, W, 3) of each.

    Returns:
        ndarray: The picture, RGB uint8.
    """
    lines = []
    for title, images in rows:
        margin = np.full((images[0].shape[0], MARGIN, 3), 255, np.uint8)
        cv2.putText(margin, title, (4, len(margin) // 2 + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 20), 1,
                    cv2.LINE_AA)
        lines.append(np.hstack([margin, *images]))
    sheet = np.vstack(lines)
    _, png = cv2.imencode('.png', sheet[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    with atomic_path(path) as temporary:
        temporary.write_bytes(png.tobytes())
    return sheet
