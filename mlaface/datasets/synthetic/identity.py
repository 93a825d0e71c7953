"""Who a drawn face is: a vector of shape and colour."""
import numpy as np

TRAITS = (
    'head_width', 'head_height', 'jaw', 'chin', 'ear', 'eye_distance', 'eye_size', 'eye_aspect', 'eye_tilt',
    'eye_height', 'brow_height', 'brow_thickness', 'brow_tilt', 'brow_length', 'brow_curve', 'nose_length',
    'nose_width', 'nose_bridge', 'mouth_width', 'mouth_height', 'upper_lip', 'lower_lip', 'mouth_curve', 'hairline',
    'hair_volume', 'hair_parting', 'hair_length', 'skin_tone', 'skin_hue', 'hair_tone', 'hair_hue', 'iris_tone',
    'beard', 'mole_x', 'mole_y', 'cheek')


def identity_traits(seed, number):
    """Traits of one identity.

    Args:
        seed (int): Of the data set.
        number (int): Of the identity; test identities are numbers that training does not have.

    Returns:
        dict[str, float]: Trait -> value in [-1, 1).
    """
    rng = np.random.Generator(np.random.PCG64([seed, 1, number]))
    return dict(zip(TRAITS, (rng.random(len(TRAITS)) * 2 - 1).tolist()))
