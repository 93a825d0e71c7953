"""All that is known of how a network looks at faces: of each face, and of its gates."""
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlaface.evaluation.training_runs.reading import read_run
from mlaface.utils.errors import InputError
from mlaface.utils.template import TEMPLATE
from mlaface.visualization.observe import Observer, gates_of

TEMPLATE_SIZE = 112
EYES = tuple((float(x), float(y)) for x, y in TEMPLATE[:2])
GATE = re.compile(r'(attention_)?gate(_\d+)?')


@dataclass
class Look:
    """One face, looked at.

    Args:
        name (str): Of its image.
        crop (ndarray uint8 (3, H, W)): Aligned, RGB.
        blocks (list[Block]): What each attention plugin let through.
        attended (list[Attended]): What the places of each branch attend to.
        cam (ndarray float32 (h, w) or None): Grad-CAM's map.
        cosine (float or None): What it explains.
    """
    name: str
    crop: np.ndarray
    blocks: list = field(default_factory=list)
    attended: list = field(default_factory=list)
    cam: np.ndarray | None = None
    cosine: float | None = None


class Viewer:
    """Looks at faces through a network's attention.

    Args:
        model (FaceRecognizer): In evaluation mode.
        cam (GradCAM or None): Default none.
        other (ndarray uint8 (3, H, W) or None): The face that Grad-CAM compares with. Default the mirror image.
        points (Sequence[tuple[float, float]]): Whose self-attention is shown: x and y in pixels of a crop of 112 x 112.
            Default both eyes of the template.

    Raises:
        InputError: If a point lies outside.
    """

    def __init__(self, model, cam=None, other=None, points=EYES):
        outside = [point for point in points if not all(0 <= value < TEMPLATE_SIZE for value in point)]
        if outside:
            raise InputError('point {:g},{:g} lies outside the crop: x and y are pixels from 0 to 111'.format(
                *outside[0]))
        self.model, self.cam, self.other, self.points = model, cam, other, tuple(points)
        self.observer = Observer(model)

    def __call__(self, name, crop):
        """A ``Look`` at a face uint8 (3, H, W), RGB."""
        found = Look(name, crop, *self.observer(crop))
        if self.cam is not None:
            found.cam, found.cosine = self.cam(crop, self.other)
        return found

    def rows(self, look):
        """Self-attention of the chosen points.

        Yields:
            tuple: Attended, the point, its place (row, column), and ndarray float32 (heads, h, w).
        """
        for branch in look.attended:
            for point in self.points:
                place = branch.place(point, (TEMPLATE_SIZE, TEMPLATE_SIZE))
                yield branch, point, place, branch.row(place)

    @property
    def gates(self):
        """See ``observe.gates_of``."""
        return gates_of(self.model)


def gates_in_training(folder):
    """Gates of the log of a training run.

    Args:
        folder (str | Path): Work folder.

    Returns:
        dict[str, tuple]: ``gate``, ``gate_0``, ``attention_gate``: iterations and values; empty for a folder without
        ``scalars.jsonl``, and for a run without gates.
    """
    if not Path(folder, 'scalars.jsonl').is_file():
        return {}
    return {name: found for name, found in read_run(folder).scalars.items() if GATE.fullmatch(name)}


def numbers_of(viewer, looks, training):
    """Everything as JSON takes it, of six digits.

    Args:
        viewer (Viewer): That looked.
        looks (list[Look]): What it saw.
        training (dict): From ``gates_in_training``.

    Returns:
        dict: ``images``, ``gates`` and ``gates_in_training``.
    """
    return dict(
        gates={name: _digits(value) for name, value in viewer.gates.items()},
        gates_in_training={name: dict(iterations=steps, values=_digits(values))
                           for name, (steps, values) in training.items()},
        images=[_entry(viewer, look) for look in looks])


def _entry(viewer, look):
    entry = dict(name=look.name)
    if look.cam is not None:
        entry['grad_cam'] = dict(layer=viewer.cam.layer, cosine=_digits(look.cosine), map=_digits(look.cam))
    entry['self_attention'] = [
        dict(branch=branch.name, type=branch.kind, point=list(point), place=list(place),
             weights=_digits(heads.mean(0)), heads=_digits(heads)) for branch, point, place, heads in viewer.rows(look)]
    entry['blocks'] = [dict(name=block.name, type=block.kind, stage=block.stage, places=_digits(block.places),
                            channels=_digits(block.channels), channels_are='gate' if block.gated else 'out / in')
                       for block in look.blocks]
    return entry


def _digits(value):
    """Numbers of six digits; arrays as lists."""
    if isinstance(value, (list, np.ndarray)):
        return [_digits(each) for each in value]
    return float(f'{float(value):.6g}')
