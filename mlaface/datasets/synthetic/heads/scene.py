"""What changes from one photograph of a person to the next."""
import numpy as np

OCCLUDERS = ('glasses', 'mask', 'hand', 'cap')


def draw_scene(rng, conditions):
    """Draw pose, expression, light and camera of an image.

    Args:
        rng (numpy.random.Generator): Random numbers of the image.
        conditions (Conditions): How strong; as of the first generation.

    Returns:
        dict: Numbers of the scene.
    """
    u, n = rng.random(24), np.clip(rng.standard_normal(24), -2.5, 2.5)
    smile = max(-0.5, float(n[0]) * 0.6 + 0.35)
    talk = max(0.0, float(u[0]) - 0.62) * 2.2
    gap = min(1.0, max(talk, (smile - 0.2) * 0.9 if u[1] < 0.8 else 0.0))
    return dict(
        yaw=float(n[1]) * 0.45 * conditions.yaw, pitch=float(n[2]) * 0.45 * conditions.pitch, roll=float(n[3]) * 0.05,
        distance=180 + 900 * float(u[2]) ** 2, landmark_noise=rng.standard_normal((5, 2)) * (0.5 + 0.9 * u[3]),
        expression=dict(
            smile=smile, open=max(gap, 0.0), closed=1.0 if u[4] < 0.04 else float(u[5]) ** 2 * 0.55,
            gaze=(float(n[4]) * 0.35, float(n[5]) * 0.25), frown=max(0.0, float(n[6])) * 0.4, puff=max(0.0, float(n[7]) - 1) * 0.5,
            dilated=float(u[6]), **{'raise': max(0.0, float(n[8])) * 0.45}),
        key=(float(n[9]) * 0.75, float(n[10]) * 0.4 - 0.45, 0.3 + 1.7 * float(u[7])), hardness=float(u[8]),
        fill=(float(n[11]) * 1.2, float(n[12]) * 0.5, 0.7 * float(u[9]) ** 2), ambient=0.12 + 0.75 * float(u[10]),
        warm=float(n[13]) * 0.16, key_warm=float(n[14]) * 0.12, tint=float(n[15]) * 0.04, sheen=float(u[11]) ** 2,
        exposure=float(n[16]) * 0.3, normalised=0.5 + 0.4 * float(u[12]), contrast=float(n[17]) * 0.18, saturation=0.9 + 0.22 * float(n[18]),
        grey=u[13] < 0.04, spoiled=bool(u[14] < conditions.spoiled), blur=float(u[15]) ** 2 * 0.9, grain=float(u[16]) ** 2 * 6,
        occluder=OCCLUDERS[int(4 * u[17])] if u[18] < conditions.occluded else None, clear_glasses=float(u[19]), gleam=float(u[20]))
