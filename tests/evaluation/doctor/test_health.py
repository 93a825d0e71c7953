"""What is wrong with embeddings, whatever the images are like."""
import numpy as np
import pytest
import torch
from torch import nn

from mlaface.evaluation.doctor.health import check_health
from mlaface.evaluation.networks.base import Network


class Wrapped(Network):
    """A module as a network, in the mode that it is in."""

    def __init__(self, module):
        self.module = module

    def embed(self, images):
        with torch.no_grad():
            return self.module(torch.from_numpy(images).float() / 255 - 0.5).numpy()


@pytest.fixture(scope='module')
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 3, 16, 16), np.uint8)


def faults(images, *layers, train=False):
    torch.manual_seed(0)
    return check_health(Wrapped(nn.Sequential(nn.Flatten(), nn.Linear(768, 32), *layers).train(train)), images)


def test_a_healthy_one(images):
    found, facts = faults(images, nn.BatchNorm1d(32), nn.Dropout(0.5))
    assert found == [] and facts['dimensions'] == 32 and 0 < facts['lengths'][0] < facts['lengths'][1]


@pytest.mark.parametrize('layers,train,words', [
    ([nn.Dropout(0.5)], True, 'dropout is on'),
    ([nn.BatchNorm1d(32)], True, 'batch norm is in training mode'),
    ([nn.Softmax(1)], False, 'probabilities of classes'),
], ids=['dropout', 'batch-norm', 'softmax'])
def test_what_is_wrong(images, layers, train, words):
    if isinstance(layers[0], nn.BatchNorm1d):
        layers[0].forward = lambda x: x - x.mean(0) + x.mean()  # of one image batch norm refuses to learn
    found, _ = faults(images, *layers, train=train)
    assert len(found) == 1 and words in found[0]


@pytest.mark.parametrize('layer,words', [(nn.ReLU(), 'none of its numbers is below zero'),
                                         (nn.Linear(32, 5000), '5,000 numbers')], ids=['relu', 'classifier'])
def test_what_embeddings_rarely_are(images, layer, words):
    found, facts = faults(images, layer)
    assert found == [] and len(facts['remarks']) == 1 and words in facts['remarks'][0]


def test_numbers_that_say_nothing(images):
    class Same(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 4) + 1e-7 * x.mean((1, 2, 3))[:, None]
    assert 'nearly the same' in check_health(Wrapped(Same()), images)[0][0]

    class Nothing(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 4)
    assert 'zero for some images' in check_health(Wrapped(Nothing()), images)[0][0]

    class Wild(nn.Module):
        def forward(self, x):
            return torch.full((len(x), 4), float('nan'))
    found, facts = check_health(Wrapped(Wild()), images)
    assert 'not finite' in found[0] and facts['lengths'] is None
