"""Drawn faces to look at: a contact sheet, and single images as a user has them."""
from pathlib import Path

import cv2
import numpy as np

from mlaface.datasets.formats.jpeg import decode
from mlaface.datasets.synthetic.generate import FIRST_TEST, drawing
from mlaface.datasets.synthetic.nuisance import BENCHMARKS, TRAINING
from mlaface.utils.files import atomic_path


def contact_sheet(path, seed=0, identities=4, images=6, conditions=TRAINING, style='flat'):
    """Draw a contact sheet of the first identities.

    Args:
        path (str | Path): PNG to write.
        seed (int): Of the data set.
        identities (int): Rows.
        images (int): Columns.
        conditions (Conditions): Strength of the nuisance.
        style (str): Way of drawing, one of ``generate.STYLES``.

    Returns:
        ndarray: The sheet, RGB uint8 (112 * identities, 112 * images, 3).
    """
    draw = drawing(style)
    drawn = (draw((number, range(images)), seed, conditions) for number in range(identities))
    sheet = np.vstack([np.hstack([decode(image) for image in person]) for person in drawn])
    shown = cv2.resize(sheet, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    _, png = cv2.imencode('.png', shown[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    with atomic_path(path) as temporary:
        temporary.write_bytes(png.tobytes())
    return sheet


def single_images(folder, seed=0, identities=3, images=2, style='flat'):
    """Draw aligned faces as files, of people who are in no training set.

    Args:
        folder (str | Path): Where to; ``person1_a.jpg``, ``person1_b.jpg``, ``person2_a.jpg``, ...
        seed (int): Of the data set.
        identities (int): People; they are those of the benchmarks.
        images (int): Of each, 26 at most.
        style (str): Way of drawing, one of ``generate.STYLES``.

    Returns:
        list[Path]: The files, JPEG of 112 x 112.
    """
    draw, folder, files = drawing(style), Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for person in range(identities):
        job = FIRST_TEST + person, range(images)
        for k, jpeg in enumerate(draw(job, seed, BENCHMARKS['synth_frontal'])):
            files.append(folder / f'person{person + 1}_{chr(ord("a") + k)}.jpg')
            with atomic_path(files[-1]) as temporary:
                temporary.write_bytes(jpeg)
    return files
