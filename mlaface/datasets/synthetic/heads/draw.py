"""Images of a person, from numbers."""
import cv2
import numpy as np

from mlaface.datasets.formats.jpeg import encode
from mlaface.datasets.synthetic.heads import extras, features
from mlaface.datasets.synthetic.heads.camera import develop, photograph, stand_before
from mlaface.datasets.synthetic.heads.light import direction, shade
from mlaface.datasets.synthetic.heads.render import Landmarks, View, light_up, lookup, visible
from mlaface.datasets.synthetic.heads.scene import draw_scene
from mlaface.datasets.synthetic.heads.skin import skin_colour, texture
from mlaface.datasets.synthetic.heads.surface import COS_U, SIN_U, Face, head, places
from mlaface.datasets.synthetic.heads.traits import generator, head_traits, look_traits

IMAGES_PER_LOOK = 5


class Look:
    """A person on one day: surface and texture.

    Args:
        t (dict): As ``look_traits`` gives them.

    Attributes:
        points (ndarray): The surface with hair, float32 (3, ROWS, COLUMNS).
        colours (dict): As ``features.colours`` gives them.
        texture (ndarray): Square roots of reflectances and gloss, uint8 (HEIGHT, WIDTH, 4).
    """

    def __init__(self, t):
        self.traits, self.places, self.skin = t, places(t), skin_colour(t)
        self.texture, stand = texture(t)
        self.face, self.landmarks = Face(self.places), Landmarks(self.places)
        self.colours = features.colours(t, self.skin)
        self.points = head(t)
        hollow = self.points[2] - cv2.GaussianBlur(self.points[2], (25, 25), 4)
        self.open_sky = np.clip(1 + 0.12 * hollow, 0.4, 1.1)
        self.points[0] += stand * SIN_U
        self.points[1] -= stand * np.clip((-30 - self.points[1]) / 40, 0, 1)
        self.points[2] += stand * COS_U


def render(look, scene, rng):
    """One photograph of a look.

    Args:
        look (Look): The person.
        scene (dict): As ``draw_scene`` gives it.
        rng (numpy.random.Generator): Random numbers of the image.

    Returns:
        ndarray: RGB, uint8 (112, 112, 3).
    """
    t, p, key = look.traits, look.places, direction(*scene['key'][:2])
    e = dict(scene['expression'], glint=(0.9 * key[0], 0.9 * key[1]))
    points = look.face.moved(look.points, e)
    view = View(points, look.landmarks, scene)
    where, coarse, cover = visible(view.image, scene['yaw'], scene['pitch'])
    painted = look.texture.copy()
    features.paint(painted, t, p, e, look.colours)
    extras.cover_texture(painted, p, scene['occluder'], rng)
    surface = light_up(points, look.open_sky, view.into_head(key), scene['hardness'])
    colours = shade(lookup(painted, where), lookup(surface, coarse), view, scene, key)
    face = float(colours[:, 30:100:2, 30:82:2].mean())
    stand_before(colours, cover, 2.2 * face, rng)
    extras.in_front(colours, look, view, scene, key, rng)
    return photograph(develop(colours, face, scene), scene, rng)


def draw_images(job, seed, conditions):
    """Draw images of one identity; arguments and result are those of ``synthetic.generate.draw_images``."""
    number, images = job
    traits = head_traits(seed, number)
    day, look, drawn = None, None, []
    for image in images:
        if image // IMAGES_PER_LOOK != day:
            day = image // IMAGES_PER_LOOK
            look = Look(look_traits(traits, seed, number, day))
        rng = generator(seed, 3, number, image)
        pixels = render(look, draw_scene(rng, conditions), rng)
        drawn.append(encode(pixels, int(rng.integers(60, 96))))
    return drawn
