"""What changes from one photograph of a person to the next."""
import numpy as np

OCCLUDERS = ('glasses', 'mask', 'hand', 'cap')


def draw_scene(rng, conditions):
    """Draw pose, expression, light and camera of an image.

    Args:
        rng (numpy.random.Generator): Random numbers of the image.
        conditions (Conditions): How strong, as of the first generation; ``yaw`` and ``pitch`` are 2.2 deviations.

    Returns:
        dict: Tangents of half of ``yaw`` and ``pitch`` (roll is undone by alignment, but for ``landmark_noise`` (5, 2)
        in pixels); ``distance`` of the camera in pixels; ``expression``; ``key`` and ``fill``, lights as azimuth,
        elevation (radians) and strength; what the camera does; ``occluder``, one of ``OCCLUDERS`` or None.
    """
    u, n = rng.random(24).tolist(), np.clip(rng.standard_normal(24), -2.5, 2.5).tolist()
    return dict(
        yaw=n[0] * 0.45 * conditions.yaw, pitch=n[1] * 0.45 * conditions.pitch,
        distance=180 + 900 * u[0] ** 2, landmark_noise=rng.standard_normal((5, 2)) * (0.5 + 0.9 * u[1]),
        expression=_expression(u[2:7], n[3:9]), **_light(u[7:12], n[9:15]), **_camera(u[12:17], n[15:20]),
        spoiled=u[17] < conditions.spoiled, clear_glasses=u[18], gleam=u[19],
        occluder=OCCLUDERS[int(4 * u[20])] if u[21] < conditions.occluded else None)


def _expression(u, n):
    smile = max(-0.5, n[0] * 0.6 + 0.35)
    talking, laughing = max(0.0, u[0] - 0.62) * 2.2, (smile - 0.2) * 0.9 if u[1] < 0.8 else 0.0
    return {
        'smile': smile, 'open': min(1.0, max(0.0, talking, laughing)),
        'closed': 1.0 if u[2] < 0.04 else u[3] ** 2 * 0.55,
        'gaze': (n[1] * 0.35, n[2] * 0.25), 'frown': max(0.0, n[3]) * 0.4, 'raise': max(0.0, n[4]) * 0.45,
        'puff': max(0.0, n[5] - 1) * 0.5, 'dilated': u[4]}


def _light(u, n):
    return dict(
        key=(n[0] * 0.75, n[1] * 0.4 - 0.45, 0.3 + 1.7 * u[0]), hardness=u[1],
        fill=(n[2] * 1.2, n[3] * 0.5, 0.7 * u[2] ** 2),
        ambient=0.12 + 0.75 * u[3], key_warm=n[4] * 0.12, tint=n[5] * 0.04, sheen=u[4] ** 2)


def _camera(u, n):
    return dict(
        warm=0.04 + n[0] * 0.16, exposure=n[1] * 0.3, contrast=n[2] * 0.18, saturation=0.9 + 0.22 * n[3],
        normalised=0.5 + 0.4 * u[0], grey=u[1] < 0.04, blur=u[2] ** 2 * 0.9, grain=u[3] ** 2 * 6)
