"""What an image of a face is worth, from the face itself: sharpness, size, and where it looks."""
import cv2
import numpy as np

from mlaface.evaluation.images.alignment import TEMPLATE

# a face from the front in units of the template, and how far its points stand behind the eyes' plane: the tip of the
# nose 15 units (27 mm at 63 mm between the eyes) in front of it
FRONT = np.concatenate([TEMPLATE - TEMPLATE.mean(axis=0), [[0.0], [0.0], [-15.0], [0.0], [0.0]]], axis=1)


def quality(crop, box, points):
    """Quality of a face before a network has seen it.

    Args:
        crop (ndarray uint8 (3, H, W)): Aligned, RGB.
        box (ndarray (4,)): x1, y1, x2, y2 in pixels of its image.
        points (ndarray (5, 2)): In the same pixels.

    Returns:
        dict: ``sharpness``, the variance of the Laplacian of the grey crop (Pech-Pacheco et al. 2000): blurred faces
        have tens, sharp ones hundreds; ``size``, the shorter side of the box in pixels; ``yaw``, ``pitch``, ``roll``.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(crop.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    yaw, pitch, roll = pose(points)
    return dict(sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()), size=float(min(box[2:] - box[:2])),
                yaw=yaw, pitch=pitch, roll=roll)


def pose(points):
    """Where a face looks, from its five points: the rotation of an average face under scaled orthography.

    Args:
        points (ndarray (5, 2)): Eyes, nose, corners of the mouth, in pixels.

    Returns:
        tuple[float]: Degrees, of rotations in this order: yaw, positive towards the right of the image; pitch, positive
        downwards; roll, positive clockwise. Good to about ten degrees, as people's faces differ.

    Source:
        POS of DeMenthon and Davis 1995.
    """
    model = FRONT - FRONT.mean(axis=0)
    axes = np.linalg.lstsq(model, np.asarray(points, np.float64) - np.mean(points, axis=0), rcond=None)[0].T
    left, _, right = np.linalg.svd(axes, full_matrices=False)
    across, down = left @ right  # the nearest two rows of a rotation: where the face's axes go in the image
    roll = np.arctan2(-across[1], down[1])
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    aside, below = turn @ -np.array([across[2], down[2]])  # where it looks once the head is held upright
    ahead = np.sqrt(max(1 - aside ** 2 - below ** 2, 0))
    return tuple(float(np.degrees(angle)) for angle in (np.arcsin(np.clip(aside, -1, 1)), np.arctan2(below, ahead),
                                                        roll))
