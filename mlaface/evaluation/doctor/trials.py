"""A network's images made in many ways: which way tells people apart best."""
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import cv2
import numpy as np

from mlaface.evaluation.functional.pairs import PairRules, pair_scores
from mlaface.evaluation.functional.roc import area_under, roc_curve

# what networks of the field take, in the order of RGB
NORMALISATIONS = {'-1 to 1': ((127.5,), (127.5,)), '0 to 1': ((0,), (255,)), '0 to 255': ((0,), (1,)),
                  "ImageNet's": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
                  "VGGFace2's": ((131.0912, 103.8827, 91.4953), (1,))}
RESAMPLES, SURE, WORTH = 1000, 3, 0.03  # draws; standard errors that one trial of many must gain, and share of all


class Sample(NamedTuple):
    """Pairs of images.

    Args:
        images (list[ndarray]): RGB, uint8 (H, W, 3), of any size; each distinct image once.
        pairs (ndarray (P, 2)): Rows of ``images``.
        issame (ndarray (P,)): bool.
    """
    images: list
    pairs: np.ndarray
    issame: np.ndarray


class Cut(NamedTuple):
    """What of an image a network is shown.

    Args:
        name (str): For people.
        closer (float): By how much it is magnified about its middle; below 1 its edge is continued. Default 1.
        right (float), down (float): By which share of the shown part it is moved. Default 0.
        share (tuple[float]): Which share of the width and height is shown. Default all.
    """
    name: str
    closer: float = 1
    right: float = 0
    down: float = 0
    share: tuple = (1, 1)

    def apply(self, image, size):
        """The cut of an image uint8 (H, W, 3) as uint8 (3, *size)."""
        if self == WHOLE and image.shape[:2] == tuple(size):
            return image.transpose(2, 0, 1)
        (height, width), (out_height, out_width) = image.shape[:2], size
        shown = np.array([width * self.share[0], height * self.share[1]]) / self.closer
        middle = np.array([width, height]) / 2 + np.array([self.right, self.down]) * shown
        scale = shown / (out_width, out_height)
        if scale.max() > 1:  # many pixels to one: blurred first, so that none is passed over
            image = cv2.GaussianBlur(image, (0, 0), 0.5 * float(scale.max()))
        matrix = np.array([[scale[0], 0, middle[0] - shown[0] / 2 + scale[0] / 2 - 0.5],
                           [0, scale[1], middle[1] - shown[1] / 2 + scale[1] / 2 - 0.5]])
        return cv2.warpAffine(image, matrix, (out_width, out_height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=cv2.BORDER_REPLICATE).transpose(2, 0, 1)


WHOLE = Cut('as it is')
CUTS = (Cut('closer by 10%', 1.1), Cut('closer by 25%', 1.25), Cut('wider by 10%', 1 / 1.1),
        Cut('wider by 25%', 1 / 1.25), Cut('6% higher', down=-0.06), Cut('6% lower', down=0.06))
NARROW = Cut('without 1/14 at each side', share=(96 / 112, 1))  # SphereFace's template is ArcFace's without 8 pixels


@dataclass
class Trial:
    """One way to make a network's images, and how well it then tells people apart.

    Args:
        color (str): ``'RGB'`` or ``'BGR'``.
        mean (tuple or None), std (tuple or None): As in ``InputFormat``; None where the network normalises by itself.
        cut (Cut): What it is shown.
        scores (ndarray (P,)): Cosines; None where it gave nothing that can be compared.
        fault (str): What it gave then.
    """
    color: str
    mean: tuple | None
    std: tuple | None
    cut: Cut = WHOLE
    scores: np.ndarray | None = field(default=None, repr=False)
    fault: str = ''

    @property
    def way(self):
        """What tells it from other trials (tuple)."""
        return self.color, self.mean, self.std, self.cut

    def options(self):
        """Its options of ``mlaface test`` (str)."""
        found = [f'--color {self.color}']
        if self.mean is not None:
            found += [f'--{name} {" ".join(f"{value:g}" for value in values)}'
                      for name, values in (('mean', self.mean), ('std', self.std))]
        return ' '.join(found)


def separation(scores, issame):
    """How far the cosines of same pairs lie above those of different ones, in their standard deviations (d').

    Args:
        scores (ndarray (..., P)): Cosines.
        issame (ndarray (P,)): bool.

    Returns:
        ndarray (...): Unlike accuracy and AUC it does not stop at 1 where a set is easy.
    """
    same, other = scores[..., issame], scores[..., ~issame]
    return _apart(same.mean(-1), same.var(-1), other.mean(-1), other.var(-1))


def _apart(same, same_variance, other, other_variance):
    return (same - other) / np.sqrt(np.maximum((same_variance + other_variance) / 2, 1e-12))


def gain_error(trial, other, issame, seed=0):
    """Standard error of the gain in separation of one trial over another: pairs are drawn again, both scores together.

    Args:
        trial (ndarray (P,)), other (ndarray (P,)): Cosines of the same pairs.
        issame (ndarray (P,)): bool.
        seed (int): Of the draws.

    Returns:
        float: The error; never quite 0.
    """
    draw, parts = np.random.default_rng(seed), []
    for kind in (True, False):
        rows = np.flatnonzero(issame == kind)
        again = np.stack([trial, other])[:, draw.choice(rows, (RESAMPLES, len(rows)))]
        parts += [again.mean(-1), again.var(-1)]
    found = _apart(*parts)
    return max(float(np.std(found[0] - found[1])), 1e-9)


class Trials:
    """All trials of one network on one sample.

    Args:
        network (Network): Its ``format`` says how its images are made now, where it is foreign.
        sample (Sample): Pairs.
        batch_size (int): Images of a forward pass.
        advance (callable): Told (int) how many images have gone through.
    """

    most = 2 * (len(NORMALISATIONS) + 1) + len(CUTS)  # trials of a search, besides the first

    def __init__(self, network, sample, batch_size=64, advance=lambda images: None):
        self.network, self.sample, self.batch_size, self.advance = network, sample, batch_size, advance
        self.format = network.format
        stated = network.describe()['input']
        normalises = self.format is None or network.bytes
        self.made = [self._run(Trial(stated['color'], *((None, None) if normalises else
                                                        (tuple(stated['mean']), tuple(stated['std'])))))]

    @property
    def stated(self):
        """The trial of images as they are made now."""
        return self.made[0]

    @property
    def best(self):
        """The trial that tells people apart best; None where all failed."""
        able = [trial for trial in self.made if trial.scores is not None]
        return max(able, key=lambda trial: separation(trial.scores, self.sample.issame), default=None)

    def search(self):
        """Each normalisation in both orders of colours, then other cuts of the best."""
        stated = self.stated
        for color in ('RGB', 'BGR'):
            same = color == stated.color
            self._try(stated, color=color, **{key: getattr(stated, key) if same else reverse(getattr(stated, key))
                                              for key in ('mean', 'std')})
            for mean, std in NORMALISATIONS.values() if stated.mean is not None else ():
                self._try(stated, color=color, mean=in_order(mean, color), std=in_order(std, color))
        best = self.best or stated
        for cut in (*((NARROW,) if self.network.size[1] < self.network.size[0] else ()), *CUTS):
            self._try(best, cut=cut)

    def gain(self, trial, over=None):
        """Gain in separation over another trial, and its standard error; None where one of the two failed.

        Args:
            trial (Trial), over (Trial, optional): Default: over the images as stated.
        """
        over = over or self.stated
        if trial.scores is None or over.scores is None:
            return None
        issame = self.sample.issame
        return (float(separation(trial.scores, issame) - separation(over.scores, issame)),
                gain_error(trial.scores, over.scores, issame))

    def better(self, trial):
        """Whether a trial is better than the images as stated by more than chance, and by enough to matter (bool)."""
        if self.stated.scores is None:
            return trial.scores is not None
        found = self.gain(trial)
        return found is not None and found[0] > max(
            SURE * found[1], WORTH * abs(float(separation(self.stated.scores, self.sample.issame))))

    def auc(self, trial):
        """Area under the ROC of a trial."""
        return area_under(roc_curve(trial.scores, self.sample.issame))

    def _try(self, base, **changes):
        trial = replace(base, **changes, scores=None, fault='')
        if all(trial.way != other.way for other in self.made):
            self.made.append(self._run(trial))

    def _run(self, trial):
        embeddings = self.embed(self.sample.images, trial)
        try:
            trial.scores = pair_scores(embeddings[self.sample.pairs.ravel()], rules=PairRules(flip='none')).cosine
        except ValueError as error:
            trial.fault = str(error)
        return trial

    def embed(self, images, trial):
        """Embeddings float32 (N, D) of images, made as a trial says."""
        network, swap, parts = self.network, False, []
        if self.format is None:
            swap = trial.color != network.describe()['input']['color']
        else:
            given = {} if trial.mean is None else dict(mean=trial.mean, std=trial.std)
            network.format = replace(self.format, color=trial.color, **given)
        try:
            for start in range(0, len(images), self.batch_size):
                batch = np.stack([trial.cut.apply(image, network.size)
                                  for image in images[start:start + self.batch_size]])
                parts.append(network.embed(np.ascontiguousarray(batch[:, ::-1] if swap else batch)))
                self.advance(len(batch))
        finally:
            if self.format is not None:
                network.format = self.format
        return np.concatenate(parts)


def in_order(values, color):
    """Numbers of red, green and blue, or one for all, in the order of a network's colours (tuple)."""
    return tuple(map(float, values if color == 'RGB' else values[::-1]))


def reverse(values):
    """Numbers of the three colours in the other order; None for None."""
    return None if values is None else tuple(values[::-1])
