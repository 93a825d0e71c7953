"""What changes from image to image and says nothing about who it is."""
from dataclasses import dataclass

import numpy as np

OCCLUDERS = ('glasses', 'mask', 'hand', 'cap')


@dataclass(frozen=True)
class Conditions:
    """How strong the nuisance of a set of images is.

    Args:
        yaw (float): Largest tan(angle / 2) to either side; 0.3 is 33 degrees.
        pitch (float): The same, up and down.
        occluded (float): Share of images with an occluder.
        spoiled (float): Share of images with blur, low resolution or strong noise.
    """
    yaw: float = 0.3
    pitch: float = 0.12
    occluded: float = 0.2
    spoiled: float = 0.4


TRAINING = Conditions()
BENCHMARKS = {
    'synth_frontal': Conditions(yaw=0.08, pitch=0.05, occluded=0.0, spoiled=0.2),
    'synth_pose': Conditions(yaw=0.38, pitch=0.15, occluded=0.0, spoiled=0.2),
    'synth_occluded': Conditions(yaw=0.2, pitch=0.1, occluded=1.0, spoiled=0.5),
}


def image_rng(seed, identity, image):
    """Random numbers of one image.

    Args:
        seed (int): Of the data set.
        identity (int): Number of the identity.
        image (int): Number of the image within it.

    Returns:
        numpy.random.Generator: A stream that depends on nothing else.
    """
    return np.random.Generator(np.random.PCG64([seed, 2, identity, image]))


def draw_nuisance(rng, conditions):
    """Draw the nuisance of one image.

    Args:
        rng (numpy.random.Generator): Random numbers.
        conditions (Conditions): How strong.

    Returns:
        dict: Pose and expression (floats), ``occluder`` (str or None), ``spoiled`` (bool).
    """
    u = (rng.random(12) * 2 - 1).tolist()
    return dict(
        yaw=u[0] * conditions.yaw, pitch=u[1] * conditions.pitch, roll=u[2] * 0.06, scale=1 + u[3] * 0.05,
        shift=(u[4] * 2.5, u[5] * 2.5), smile=u[6], open=max(0.0, u[7]), closed=max(0.0, u[8]) ** 2 * 0.8, frown=u[9],
        occluder=OCCLUDERS[int(rng.integers(len(OCCLUDERS)))] if (u[10] + 1) / 2 < conditions.occluded else None,
        spoiled=(u[11] + 1) / 2 < conditions.spoiled)
