"""The mesh of a drawn face: polygons in three dimensions, and how expression moves them.

Units are pixels of the 112x112 image, x to the right, y down, z towards the viewer, origin between the eyes and the
mouth. Only sums, products and a rounded circle enter, so that every platform computes the same bits.
"""
import numpy as np

_ANGLE = np.arange(24) * (2 * np.pi / 24)
COS = np.round(np.cos(_ANGLE) * 16384) / 16384  # rounded: the last bit of a cosine differs between platforms
SIN = np.round(np.sin(_ANGLE) * 16384) / 16384
ARC = np.linspace(-1, 1, 9)


class Mesh:
    """Polygons under one array of points.

    Attributes:
        parts (dict[str, slice]): Rows of each polygon.
        points (ndarray): Float64 (M, 3).
        moves (dict[str, ndarray]): Expression -> displacement (M, 3) at full strength.
    """

    def __init__(self):
        self.parts, self._points, self._moves, self._count = {}, [], [], 0

    def add(self, name, x, y, z, **moves):
        """Add a polygon; ``moves`` are displacements in y of its points, by expression."""
        points = np.stack(np.broadcast_arrays(x, y, z), 1).astype(np.float64)
        self.parts[name] = slice(self._count, self._count + len(points))
        self._count += len(points)
        self._points.append(points)
        self._moves.append(moves)

    def finish(self):
        """Join what was added; returns the mesh."""
        self.points = np.concatenate(self._points)
        self.moves = {name: np.zeros(self._count) for name in ('smile', 'open', 'closed', 'frown')}
        for part, moves in zip(self.parts.values(), self._moves):
            for name, move in moves.items():
                self.moves[name][part] = move
        return self

    def posed(self, nuisance):
        """Points of an expression seen from a pose.

        Args:
            nuisance (dict): As ``draw_nuisance`` gives it.

        Returns:
            ndarray: Image coordinates, (M, 2), with the eyes and the mouth where alignment puts them.
        """
        x, z = self.points[:, 0], self.points[:, 2]
        y = self.points[:, 1] + sum(nuisance[name] * move for name, move in self.moves.items())
        cos, sin = _turn(nuisance['yaw'])
        x, z = x * cos + z * sin, z * cos - x * sin
        cos, sin = _turn(nuisance['pitch'])
        y = y * cos + z * sin
        anchor = [self.parts['eye_l'], self.parts['eye_r'], self.parts['lips']]
        x = x - sum(x[part].sum() / len(x[part]) for part in anchor) / 3
        y = y - sum(y[part].sum() / len(y[part]) for part in anchor) / 3
        cos, sin = _turn(nuisance['roll'])
        scale, (right, down) = nuisance['scale'], nuisance['shift']
        return np.stack([(x * cos - y * sin) * scale + 56 + right, (x * sin + y * cos) * scale + 65 + down], 1)


def _turn(tangent):
    """Cosine and sine of an angle from the tangent of its half."""
    below = 1 + tangent * tangent
    return (1 - tangent * tangent) / below, 2 * tangent / below


def face_mesh(traits):
    """The mesh of an identity.

    Args:
        traits (dict[str, float]): As ``identity_traits`` gives them.

    Returns:
        Mesh: Polygons named ``hair_back``, ``ear_l``, ``head``, ``eye_l``, ...
    """
    mesh = Mesh()
    head = _Head(traits)
    _hair_back(mesh, traits, head)
    _head(mesh, traits, head)
    for side, name in ((-1, 'l'), (1, 'r')):
        _eye(mesh, traits, head, side, name)
    _nose(mesh, traits, head)
    _mouth(mesh, traits, head)
    _hair_front(mesh, traits, head)
    return mesh.finish()


class _Head:
    """Extent of a head, and the depth of its surface."""

    def __init__(self, traits):
        self.width = 37 + 5 * traits['head_width']
        self.top = -54 - 4 * traits['head_height']
        self.chin = 40 + 5 * traits['chin']

    def depth(self, x, y):
        return 30 * (1 - 0.8 * (x / self.width) * (x / self.width) - 0.35 * (y / 45) * (y / 45))


def _outline(head, traits):
    taper = 0.24 - 0.16 * traits['jaw']
    down = np.maximum(SIN, 0)
    narrow = 1 - taper * down * down + 0.05 * traits['cheek'] * down * (1 - down) * 4
    square = 1 + (0.09 + 0.08 * traits['jaw']) * 4 * SIN * SIN * COS * COS
    y = np.where(SIN > 0, head.chin, -head.top) * SIN
    return head.width * COS * narrow * square, y


def _head(mesh, traits, head):
    for side, name in ((-1, 'l'), (1, 'r')):
        size = 6 + 2.5 * traits['ear']
        mesh.add(f'ear_{name}', side * head.width + size * 0.7 * COS, -8 + size * 1.5 * SIN, -4)
    x, y = _outline(head, traits)
    mesh.add('head', x, y, 0, open=np.maximum(SIN, 0) * 3)
    low = SIN > -0.3
    mesh.add('beard', x[low] * 0.97, np.where(SIN[low] < 0.2, 8, y[low] * 0.98), 3, open=np.maximum(SIN[low], 0) * 3)


def _eye(mesh, traits, head, side, name):
    cx, cy = side * (17 + 3 * traits['eye_distance']), -19 + 2 * traits['eye_height']
    width, height = 7.2 + 1.8 * traits['eye_size'], 3.6 + 1.0 * traits['eye_size'] + 1.1 * traits['eye_aspect']
    x = width * COS
    y = height * SIN * (1 - 0.25 * COS * COS) - side * x * 0.2 * traits['eye_tilt']
    z = head.depth(cx, cy)
    mesh.add(f'eye_{name}', cx + x, cy + y, z, closed=-height * SIN)
    mesh.add(f'iris_{name}', cx + height * 0.85 * COS, cy + height * 0.85 * SIN, z + 1, closed=-height * 0.85 * SIN)
    mesh.add(f'pupil_{name}', cx + height * 0.42 * COS, cy + height * 0.42 * SIN, z + 1, closed=-height * 0.42 * SIN)
    length, thick = 10 + 2.5 * traits['brow_length'], 1.7 + 1.1 * traits['brow_thickness']
    bx = np.concatenate([ARC, ARC[::-1]]) * length
    centre = cy - 10 - 2.8 * traits['brow_height']
    curve = (2.2 + 2.2 * traits['brow_curve']) * (bx / length) * (bx / length)
    by = centre + curve - side * bx * (0.02 + 0.22 * traits['brow_tilt']) * -1
    by = by + np.concatenate([-thick * (1.15 - ARC * ARC), thick * (1.15 - ARC * ARC)])
    mesh.add(f'brow_{name}', cx + bx, by, z + 2, frown=side * bx / length * -1.5 + 1.0)


def _nose(mesh, traits, head):
    length, width = 6 + 3.5 * traits['nose_length'], 7 + 2.6 * traits['nose_width']
    bridge = 2.4 + 1.2 * traits['nose_bridge']
    x = np.array([-bridge, bridge, bridge * 1.2, width, width * 0.8, 0, -width * 0.8, -width, -bridge * 1.2])
    y = np.array([-18, -18, length - 8, length - 1, length + 2, length + 3.5, length + 2, length - 1, length - 8])
    z = head.depth(0, 0) + np.array([2, 2, 9, 6, 9, 12, 9, 6, 9])
    mesh.add('nose', x, y, z)
    for side, name in ((-1, 'l'), (1, 'r')):
        mesh.add(f'nostril_{name}', side * width * 0.5 + 1.7 * COS, length + 1.2 + 1.1 * SIN, z[4])


def _mouth(mesh, traits, head):
    width, cy = 13 + 4 * traits['mouth_width'], 21 + 3 * traits['mouth_height']
    upper, lower = 2.6 + 1.4 * traits['upper_lip'], 3.2 + 1.6 * traits['lower_lip']
    bow = 1 - ARC * ARC
    bend = ARC * ARC * 2.0 * traits['mouth_curve']
    both = np.concatenate([ARC, ARC[::-1]])
    z = head.depth(both * width, cy) + 3
    smile = np.concatenate([-3.0 * ARC * ARC, -3.0 * ARC * ARC])
    rim = np.concatenate([bend + upper * bow * (0.75 + ARC * ARC), bend - lower * bow])
    mesh.add('lips', both * width, cy - rim, z, smile=smile, open=np.concatenate([-bow, 5 * bow]))
    mesh.add('gap', both * width * 0.9, cy - np.concatenate([bend + 0.35 * bow, bend - 0.35 * bow]), z + 0.5,
             smile=smile, open=np.concatenate([-bow, 4.5 * bow]))
    mesh.add('mole', 24 * traits['mole_x'] + 1.6 * COS, 4 + 14 * traits['mole_y'] + 1.6 * SIN,
             head.depth(24 * traits['mole_x'], 4))


def _hair_back(mesh, traits, head):
    volume = 3.5 + 3.5 * traits['hair_volume']
    length = 5 + 38 * max(0.0, traits['hair_length'])
    x = (head.width + volume) * COS
    mesh.add('hair_back', x, np.where(SIN > 0, length * SIN, (-head.top + volume) * SIN), -10)


def _hair_front(mesh, traits, head):
    line = -37 + 6 * traits['hairline']
    parting = 0.75 * traits['hair_parting']
    inner = ARC * (head.width + 1)
    dip = 9 * (ARC - parting) * (ARC - parting) * (1 + 0.5 * traits['hair_volume'])
    up = SIN <= 0
    crown_x, crown_y = (head.width + 2.5) * COS[up], (-head.top + 3) * SIN[up]
    order = np.argsort(-crown_x, kind='stable')
    x = np.concatenate([inner, crown_x[order]])
    y = np.concatenate([line + dip, crown_y[order]])
    mesh.add('hair_front', x, y, np.concatenate([6 * (1 - ARC * ARC), np.zeros(len(order))]))
