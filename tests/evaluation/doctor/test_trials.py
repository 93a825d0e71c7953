"""Ways to make a network's images: each is what it says, and the right one is found."""
import numpy as np
import pytest

from mlaface.evaluation.doctor.diagnosis import diagnose
from mlaface.evaluation.doctor.trials import CUTS, NARROW, WHOLE, Cut, Sample, Trial, Trials, gain_error, separation
from mlaface.evaluation.networks.base import Network
from mlaface.evaluation.networks.input_format import InputFormat

LEVELS = -0.75, -0.25, 0.25, 0.75


class Toy(Network):
    """Knows people by the colours of a grid, if black is -1, white 1, and the colours are in the order of ``wants``."""
    path, bytes = 'toy', False

    def __init__(self, wants, given, fixed=False, size=(112, 112)):
        self.wants, self.own, self.size = wants, given, size
        self.format = None if fixed else given

    def describe(self):
        return dict(file=None, sha256=None, name='toy', embedding_size=None, input=dict(
            color=self.own.color, mean=self.own.mean, std=self.own.std))

    def embed(self, images):
        levels = np.maximum(0, 1 - 4 * np.abs(self.only(images)[:, None] - np.float32(LEVELS)[:, None, None]))
        side = [part - part % 7 for part in levels.shape[2:]]
        cells = levels[:, :, :side[0], :side[1]].reshape(len(levels), 4, 7, side[0] // 7, 7, side[1] // 7)
        return cells.mean((3, 5)).reshape(len(levels), -1).astype(np.float32) - 0.1

    def only(self, images):
        """The one colour in which people differ (N, H, W), as the network gets it."""
        return (self.format or self.own).prepare(images)[:, 2 if self.wants.color == 'RGB' else 0]


@pytest.mark.parametrize('given', [dict(color='RGB'), dict(color='BGR', mean=(0.,), std=(1.,)),
                                   dict(color='RGB', mean=(0.,), std=(1.,))])
def test_finds_the_images_that_a_network_wants(sample, given):
    found = diagnose(Toy(InputFormat(color='BGR'), InputFormat(**given)), sample)
    assert found.verdict == 'other images' and found.advice()
    assert (found.wanted.color, found.wanted.mean, found.wanted.std, found.wanted.cut) == (
        'BGR', (127.5,), (127.5,), WHOLE)
    assert 'Give it its images by --color BGR --mean 127.5 --std 127.5.' in found.advice()


def test_leaves_a_network_alone_that_has_the_right_images(sample):
    found = diagnose(Toy(InputFormat(color='BGR'), InputFormat(color='BGR')), sample)
    assert found.verdict == 'fits' and found.wanted is None and not found.advice()
    assert found.trials.best.scores is not None


def test_swaps_the_images_of_a_network_that_normalises_by_itself(sample):
    network = Toy(InputFormat(color='BGR'), InputFormat(color='RGB'), fixed=True)
    found = diagnose(network, sample)
    assert found.verdict == 'other images' and found.wanted.color == 'BGR' and found.wanted.mean is None
    assert all(trial.mean is None for trial in found.trials.made)
    assert 'trained on images of BGR' in found.advice()[0]


def test_a_network_of_bytes_is_tried_without_normalisations(sample):
    network = Toy(InputFormat(color='BGR'), InputFormat(color='BGR'))
    network.bytes = True
    assert {trial.mean for trial in diagnose(network, sample).trials.made} == {None}


def test_finds_a_closer_cut(sample):
    class Fine(Toy):
        """Knows what faces look like, of their very size; of anything else it gives next to the same."""
        known = np.stack([image[..., 2].ravel() / 127.5 - 1 for image in sample.images[::4]])

        def embed(self, images):
            one = self.only(images).reshape(len(images), -1)
            alike = one @ self.known.T / np.linalg.norm(one, axis=1)[:, None] / np.linalg.norm(self.known, axis=1)
            rest = np.sin(1 + np.arange(len(self.known)) * one.sum(1, keepdims=True))
            return (10 * np.maximum(alike - 0.5, 0) - 1 + 0.1 * rest).astype(np.float32)
    network = Fine(InputFormat(color='BGR'), InputFormat(color='BGR'))
    assert diagnose(network, sample).verdict == 'fits'
    wide = [np.pad(image, ((14, 14), (14, 14), (0, 0)), mode='edge') for image in sample.images]
    found = diagnose(network, sample._replace(images=wide))
    assert found.wanted.cut.name == 'closer by 25%' and 'closer by 25%' in found.advice()[0]


def test_the_format_is_as_before_also_where_a_network_fails(sample):
    class Fails(Toy):
        """Takes what it was given only."""

        def embed(self, images):
            if self.format.mean != (127.5,):
                raise ValueError('no')
            return super().embed(images)
    network = Fails(InputFormat(color='BGR'), InputFormat(color='BGR'))
    with pytest.raises(ValueError, match='no'):
        diagnose(network, sample)
    assert network.format == InputFormat(color='BGR')


def test_what_cannot_be_compared_is_a_fault_of_a_trial(sample):
    class Narrow(Toy):
        """Overflows where its images are not small."""

        def embed(self, images):
            found = super().embed(images)
            return found if self.format.std == (127.5,) else np.full_like(found, np.nan)
    found = diagnose(Narrow(InputFormat(color='BGR'), InputFormat(color='BGR')), sample)
    assert found.verdict == 'fits'
    failed = [trial for trial in found.trials.made if trial.scores is None]
    assert len(failed) == 8 and all('not finite' in trial.fault or 'NaN' in trial.fault for trial in failed)
    assert sum('fault' in entry for entry in found.record()['trials']) == 8


def test_a_network_without_eyes(sample):
    rng = np.random.default_rng(1)

    class Blind(Toy):
        """Gives anything."""

        def embed(self, images):
            return rng.normal(size=(len(images), 8)).astype(np.float32)
    assert diagnose(Blind(InputFormat(), InputFormat()), sample).verdict == 'blind'


def test_separation_and_its_error():
    rng = np.random.default_rng(0)
    issame = np.arange(4000) < 2000
    scores = np.where(issame, rng.normal(0.6, 0.1, 4000), rng.normal(0.1, 0.2, 4000))
    expected = 0.5 / np.sqrt((0.1 ** 2 + 0.2 ** 2) / 2)
    assert separation(scores, issame) == pytest.approx(expected, rel=0.05)
    assert separation(np.stack([scores, 2 * scores]), issame) == pytest.approx([separation(scores, issame)] * 2)
    assert gain_error(scores, scores, issame) < 1e-6
    others = [separation(np.where(issame, rng.normal(0.6, 0.1, 4000), rng.normal(0.1, 0.2, 4000)), issame)
              for _ in range(200)]
    other = np.where(issame, rng.normal(0.6, 0.1, 4000), rng.normal(0.1, 0.2, 4000))
    assert gain_error(scores, other, issame) == pytest.approx(np.std(others) * 2 ** 0.5, rel=0.2)


def test_chance_alone_is_rarely_taken_for_a_better_way():
    rng, issame, taken = np.random.default_rng(0), np.arange(150) < 75, 0
    for _ in range(60):
        common = rng.normal(size=150)
        ways = np.stack([0.4 * issame + 0.9 * 0.12 * common + 0.05 * rng.normal(size=150) for _ in range(16)])
        trials = Trials.__new__(Trials)
        trials.sample = Sample([], None, issame)
        trials.made = [Trial('RGB', None, None, scores=scores) for scores in ways]
        taken += trials.better(trials.best)
    assert taken <= 4  # 1 in 50 of 400


def test_cuts_show_what_they_say():
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    assert np.array_equal(WHOLE.apply(image, (112, 112)), image.transpose(2, 0, 1))
    assert np.array_equal(NARROW.apply(image, (112, 96)), image[:, 8:104].transpose(2, 0, 1))
    assert np.array_equal(Cut('', down=0.25).apply(image, (112, 112))[:, :84], image[28:].transpose(2, 0, 1))
    assert np.array_equal(Cut('', right=-0.25).apply(image, (112, 112))[:, :, 28:], image[:, :84].transpose(2, 0, 1))
    smooth = np.tile(np.arange(112, dtype=np.uint8)[:, None, None], (1, 112, 3))
    closer = Cut('', closer=2).apply(smooth, (112, 112))[0, :, 0].astype(float)
    assert closer[56] == pytest.approx(56, abs=1) and closer[0] == pytest.approx(28, abs=1)
    wider = Cut('', closer=0.5).apply(smooth, (112, 112))[0, :, 0]
    assert wider[:25].max() <= 2 and wider[-25:].min() >= 109
    assert WHOLE.apply(np.zeros((250, 200, 3), np.uint8), (112, 96)).shape == (3, 112, 96)


def test_the_bar_has_as_many_as_can_be_tried(sample):
    done = []
    network = Toy(InputFormat(color='BGR'), InputFormat(color='RGB', mean=(1.,), std=(7.,)), size=(112, 98))
    trials = Trials(network, sample, advance=done.append)
    trials.search()
    assert len(trials.made) <= 1 + Trials.most and len(CUTS) == 6
    assert sum(done) == len(trials.made) * len(sample.images)
