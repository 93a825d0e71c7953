"""The trials of a network's images, and what follows from them."""
from dataclasses import dataclass

import numpy as np

from mlaface.evaluation.doctor.health import check_health
from mlaface.evaluation.doctor.trials import SURE, WHOLE, Trials, reverse, separation

BLIND = 0.6  # AUC up to which a network tells nobody apart
HEALTH_IMAGES = 8


@dataclass
class Diagnosis:
    """What was found.

    Args:
        network (Network): The patient.
        trials (Trials): All ways that its images were made.
        faults (list[str]): Of its embeddings, whatever its images are like.
        facts (dict): ``dimensions``, ``lengths`` and ``remarks`` of its embeddings.
        alignment (AlignmentCheck or None): Of the images as they are.
    """
    network: object
    trials: Trials
    faults: list
    facts: dict
    alignment: object = None

    @property
    def blind(self):
        """Whether no way of making its images lets it tell people apart (bool)."""
        best = self.trials.best
        return best is None or self.trials.auc(best) < BLIND

    @property
    def wanted(self):
        """The trial that is surely better than the images as they are made now, or None."""
        best = self.trials.best
        return best if best is not None and self.trials.better(best) else None

    @property
    def verdict(self):
        """``'fits'``, ``'other images'``, ``'ill'`` (its embeddings are at fault) or ``'blind'`` (str)."""
        if self.blind:
            return 'blind'
        if self.wanted is not None:
            return 'other images'
        return 'ill' if self.faults else 'fits'

    @property
    def misaligned(self):
        """Whether the faces are seen to lie elsewhere than in aligned images (bool)."""
        return self.alignment is not None and self.alignment.known and not self.alignment.aligned

    def advice(self):
        """What to do, a sentence each (list[str])."""
        said = [f'{fault[0].upper()}{fault[1:]}.' for fault in (*self.faults, *self.facts['remarks'])]
        if self.blind:
            said.append('No way of making its images lets it tell these people apart: were its weights loaded, is '
                        'this output its embedding, are the labels of the set right?')
        elif self.wanted is not None:
            said += self._of_images(self.wanted)
        if self.misaligned:
            said.append(f'The faces are not where networks of aligned faces want them: their points are '
                        f'{self.alignment.off:.0f} of 112 pixels off. mlaface align cuts them out of the photographs.')
        return said

    def _of_images(self, wanted):
        said = []
        stated = self.trials.stated
        if (wanted.color, wanted.mean, wanted.std) != (stated.color, stated.mean, stated.std):
            said.append(f'Give it its images by {wanted.options()}.' if self.trials.format is not None else
                        f'It was trained on images of {wanted.color}: those of its training set are to be looked at.')
            if self._may_be_swapped(wanted):
                said.append('Whether RGB or BGR, these pairs do not tell: try more (--pairs).')
        if wanted.cut != WHOLE:
            said.append(f'It tells people apart better where the faces are shown {wanted.cut.name}: it was trained on '
                        'faces cut out otherwise than these.')
        return said

    def _may_be_swapped(self, wanted):
        """Whether the other order of colours is as good, as far as these pairs tell."""
        for other in self.trials.made:
            if other.color != wanted.color and other.cut == wanted.cut and other.scores is not None \
                    and (other.mean, other.std) == (reverse(wanted.mean), reverse(wanted.std)):
                lead, error = self.trials.gain(wanted, other)
                return lead < SURE * error
        return False

    def record(self):
        """Everything as JSON takes it (dict)."""
        issame, trials = self.trials.sample.issame, self.trials
        known = self.alignment is not None and self.alignment.known
        return dict(schema=1, model=self.network.describe(), verdict=self.verdict, advice=self.advice(),
                    faults=self.faults, **self.facts, pairs=len(issame), images=len(trials.sample.images),
                    alignment={key: round(value, 3) for key, value in self.alignment._asdict().items()} if known
                    else None, trials=[self._trial(trial) for trial in trials.made],
                    wanted=None if self.wanted is None else trials.made.index(self.wanted))

    def _trial(self, trial):
        found = dict(color=trial.color, mean=trial.mean, std=trial.std, cut=_plain(trial.cut))
        if trial.scores is None:
            return dict(found, fault=trial.fault)
        gain = self.trials.gain(trial)
        issame = self.trials.sample.issame
        return dict(found, auc=round(self.trials.auc(trial), 6),
                    separation=round(float(separation(trial.scores, issame)), 4),
                    gain=None if gain is None else dict(zip(('value', 'error'), (round(part, 4) for part in gain))),
                    better=self.trials.better(trial), same=_quantiles(trial.scores[issame]),
                    different=_quantiles(trial.scores[~issame]))


def _plain(cut):
    return {key: list(value) if isinstance(value, tuple) else value for key, value in cut._asdict().items()}


def _quantiles(scores):
    return [round(float(value), 4) for value in np.quantile(scores, (0.05, 0.5, 0.95))]


def diagnose(network, sample, batch_size=64, advance=lambda images: None, alignment=None):
    """Look at a network's embeddings, and try its images in other ways.

    Args:
        network (Network): Of any kind.
        sample (Sample): Pairs of images.
        batch_size (int): Images of a forward pass.
        advance (callable): Told (int) how many images have gone through.
        alignment (AlignmentCheck, optional): Of the images.

    Returns:
        Diagnosis: What was found.

    Raises:
        ValueError: If the network cannot take images at all.
    """
    few = np.stack([WHOLE.apply(image, network.size) for image in sample.images[:HEALTH_IMAGES]])
    faults, facts = check_health(network, np.ascontiguousarray(few))
    trials = Trials(network, sample, batch_size, advance)
    trials.search()
    return Diagnosis(network, trials, faults, facts, alignment)
