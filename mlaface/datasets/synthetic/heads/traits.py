"""Who a drawn head is, and how that person looks on one day: continuous numbers."""
import numpy as np

SHAPES = (
    'head_width', 'head_depth', 'forehead_width', 'cheekbone', 'jaw_width', 'jaw_depth', 'chin_width', 'chin_height',
    'chin_depth', 'brow_ridge', 'eye_distance', 'eye_height', 'eye_width', 'eye_open', 'eye_tilt', 'eye_depth',
    'lid_crease', 'brow_height', 'brow_thickness', 'brow_arch', 'brow_length', 'brow_tilt', 'brow_gap', 'nose_length',
    'nose_width', 'nose_bridge', 'nose_bridge_width', 'nose_tip', 'nose_tip_lift', 'nose_hump', 'mouth_width',
    'mouth_height', 'upper_lip', 'lower_lip', 'mouth_curve', 'lip_depth', 'philtrum', 'cheek_fat', 'ear_size',
    'ear_out', 'hairline', 'temples', 'widow')
SHARES = (
    'male', 'sex', 'east', 'melanin', 'age', 'hair', 'red', 'curl', 'blood', 'iris', 'iris_hue', 'freckles', 'glasses',
    'beard', 'style', 'blotch', 'moles', 'brow_density', 'skin_hue')
TENDENCIES = (  # of a shape with sex, with what is frequent in East Asia, with melanin: in standard deviations
    ('jaw_width', 0.5, 0.1, 0), ('brow_ridge', 0.9, -0.7, 0.2), ('brow_thickness', 0.8, -0.1, 0.2),
    ('brow_height', -0.6, 0.2, 0), ('nose_width', 0.3, 0.4, 1.4), ('nose_bridge', 0.2, -1.2, -0.8),
    ('nose_length', 0.3, -0.3, -0.3), ('upper_lip', -0.4, 0, 1.5), ('lower_lip', -0.3, 0, 1.5),
    ('eye_open', -0.4, -1.0, 0.1), ('eye_tilt', -0.3, 0.8, 0), ('lid_crease', 0, -2.0, 0), ('cheekbone', -0.1, 0.7, 0),
    ('chin_width', 0.6, 0, 0), ('head_width', 0.3, 0.5, 0), ('lip_depth', 0, 0.2, 1.0), ('cheek_fat', -0.2, 0.4, 0))


def generator(seed, *path):
    """Random numbers of one place in the data set; they depend on nothing else."""
    return np.random.Generator(np.random.PCG64([seed, 4, *path]))


def _clip(value):
    return float(min(max(value, 0.0), 1.0))


def head_traits(seed, number):
    """What stays with a person.

    Args:
        seed (int): Of the data set.
        number (int): Of the identity.

    Returns:
        dict: The ``SHAPES`` in standard deviations; ``sex`` in [-1, 1], 1 for male; ``east``, ``melanin``, ``age``,
        colours and habits in [0, 1]; ``warp`` (5, 5, 3) and ``blotches`` (12, 12, 3), float32, fields of surface and
        colour that only this person has; ``moles``, a list of places, size and colour.
    """
    rng = generator(seed, 1, number)
    traits = dict(zip(SHAPES, np.clip(rng.standard_normal(len(SHAPES)), -2.2, 2.2).tolist()))
    u = dict(zip(SHARES, rng.random(len(SHARES)).tolist()))
    traits.update(_ancestry(u), **{name: u[name] for name in ('age', 'blood', 'iris_hue', 'style', 'blotch', 'skin_hue',
                                                              'brow_density')})
    traits.update(_colours(u, max(traits['melanin'], traits['east'])))
    traits.update(
        wears_glasses=u['glasses'] ** 3, beardedness=u['beard'] if traits['sex'] > 0 else 0.0,
        warp=rng.standard_normal((5, 5, 3)).astype(np.float32),
        blotches=rng.standard_normal((12, 12, 3)).astype(np.float32),
        moles=(rng.random((int(4 * u['moles'] ** 2), 4)) * 2 - 1).tolist())
    for name, of_sex, of_east, of_melanin in TENDENCIES:
        traits[name] += of_sex * traits['sex'] + of_east * traits['east'] + of_melanin * (traits['melanin'] - 0.35)
    return traits


def _ancestry(u):
    east = _clip(4 * u['east'] - 2.9)
    sex = (0.7 if u['male'] < 0.5 else -0.7) + 0.6 * (u['sex'] - 0.5)
    return dict(sex=min(max(sex, -1.0), 1.0), east=east, melanin=u['melanin'] ** 1.5 * (1 - 0.5 * east) + 0.12 * east)


def _colours(u, dark):
    return dict(
        hair=_clip(u['hair'] + 0.8 * dark), red=u['red'] ** 3 * (1 - dark), iris=_clip(u['iris'] + 1.2 * dark),
        curl=_clip(u['curl'] ** 2 + max(0.0, dark - 0.55)), freckles=max(0.0, u['freckles'] - 0.6) * (1 - dark))


def look_traits(traits, seed, number, look):
    """How a person looks on one day: hair, beard, make-up, weight and some years more or less.

    Args:
        traits (dict): As ``head_traits`` gives them.
        seed (int): Of the data set.
        number (int): Of the identity.
        look (int): Of the day.

    Returns:
        dict: The traits of the person, and those of the day.
    """
    rng = generator(seed, 2, number, look)
    u, day = rng.random(16).tolist(), dict(traits)
    day.update(age=_clip(traits['age'] + 0.3 * (u[0] - 0.5)), tan=u[1] - 0.5, offset=rng.integers(0, 256, 8).tolist())
    day.update(_hairdress(traits, day['age'], u[2:11]))
    female = traits['sex'] < 0
    day.update(
        beard=max(0.0, traits['beardedness'] + 0.7 * (u[11] - 0.5) - 0.45) * 1.8, shadow=(not female) * u[12],
        lipstick=female * max(0.0, u[13] - 0.45) * 1.8, lip_hue=u[14], eye_make_up=female * max(0.0, u[15] - 0.4) * 1.6,
        blush=rng.random() * (1.0 if female else 0.3))
    day['cheek_fat'] += 0.5 * rng.standard_normal()
    return day


def _hairdress(traits, age, u):
    female = traits['sex'] < 0
    style = _clip(traits['style'] + 0.7 * (u[0] - 0.5))
    grey = max(0.0, age - 0.55) * 2.0 * (0.4 + u[1]) * (0.5 if female else 1.0)
    loss = max(0.0, age - 0.45) * 1.6 * (0.3 + 0.2 * traits['hairline'] + 0.3 * u[2])
    return dict(
        grey=_clip(grey), bald=0.0 if female else max(loss, 0.0), length=style if female else max(0.0, style - 0.75),
        fringe=max(0.0, u[3] - (0.6 if female else 0.8)) * 2.5, parting=u[4] * 2 - 1, volume=u[5],
        ears_shown=u[6] < (0.35 if female else 0.9),
        hair=_clip(traits['hair'] + (0.5 if female else 0.15) * (u[7] - 0.5)))
