"""Grad-CAM of a cosine: against its closed form, and against gradients taken by hand."""
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from mlaface.utils.errors import InputError, MissingPackageError
from tests.models.tiny import backbones, recognizer
from tests.visualization.seen import CROP, OTHER, network


class Linear(nn.Module):
    """Maps by a 1x1 convolution, their means, and a matrix."""

    def __init__(self, channels=5, size=6):
        super().__init__()
        self.backbone, self.matrix = nn.Conv2d(3, channels, 1), nn.Linear(channels, 4, bias=False)
        self.preprocessor = lambda images: images.float() / 255
        self.preprocessor.spec = dict(size=(size, size))

    def embed(self, x):
        return self.matrix(self.backbone(x).mean((2, 3)))


@pytest.fixture
def grad_cam():
    pytest.importorskip('captum')
    from mlaface.visualization.grad_cam import GradCAM
    return GradCAM


@pytest.mark.parametrize('other', [None, OTHER[:, :6, :6]])
def test_of_a_linear_network_it_is_the_closed_form(grad_cam, other):
    torch.manual_seed(0)
    model, crop = Linear(), CROP[:, :6, :6].copy()
    if other is None:  # means do not see a mirror image: a network that does not is at its maximum, without gradient
        found, cosine = grad_cam(model)(crop)
        assert cosine == pytest.approx(1, abs=1e-6) and abs(found).max() < 1e-6
        return
    found, cosine = grad_cam(model)(crop, other)
    maps = model.backbone(torch.from_numpy(crop)[None] / 255)[0].detach().double().numpy()
    matrix = model.matrix.weight.detach().double().numpy()
    e = matrix @ maps.mean((1, 2))
    r = model.embed(torch.from_numpy(np.ascontiguousarray(other))[None] / 255)[0].detach().double().numpy()
    unit, target = e / np.linalg.norm(e), r / np.linalg.norm(r)
    # d cosine / d e = (target - cosine unit) / |e|; d e / d A_c at each of 36 places = matrix[:, c] / 36
    weights = matrix.T @ (target - (unit @ target) * unit) / np.linalg.norm(e) / 36
    assert cosine == pytest.approx(unit @ target, abs=1e-6)
    np.testing.assert_allclose(found, np.maximum(np.tensordot(weights, maps, 1), 0), atol=1e-7, rtol=1e-4)
    assert found.max() > 0


@pytest.mark.parametrize('layer, shape', [('backbone', (2, 2)), ('backbone.layer2.0', (8, 8)),
                                          ('backbone.layer2', (8, 8))])
def test_of_a_recognizer_it_is_what_gradients_by_hand_give(grad_cam, layer, shape):
    model = network().requires_grad_(False)
    cam = grad_cam(model, layer)
    found, cosine = cam(CROP)
    kept = []
    called = 'backbone.layer2.1' if layer == 'backbone.layer2' else layer  # the stage's blocks are called, not it
    hook = model.get_submodule(called).register_forward_hook(lambda module, inputs, output: kept.append(output))
    x = model.preprocessor(torch.from_numpy(CROP)[None]).requires_grad_()
    embedding, mirrored = model.embed(x)[0], model.embed(x.flip(3))[0].detach()
    hook.remove()
    value = embedding @ mirrored / embedding.norm() / mirrored.norm()
    gradient, = torch.autograd.grad(value, kept[0])
    expected = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1)[0].clamp_min(0).detach()
    assert cam.layer == called and found.shape == shape and cosine == pytest.approx(value.item(), abs=1e-5)
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-3, atol=1e-6)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize('layer, message', [
    ('backbone.layr2', "did you mean 'backbone.layer2'"), ('neck', 'needs a map'), ('', 'no such module'),
    ('branch.0.conv1', "did you mean 'branch.0.conv1_'")])
def test_a_layer_without_a_map_is_refused(grad_cam, layer, message):
    with pytest.raises(InputError, match=message):
        grad_cam(network(), layer)


@pytest.mark.parametrize('backbone', backbones())
def test_every_backbone_gives_a_map_to_weigh(grad_cam, backbone):
    model = recognizer(backbone).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found, cosine = grad_cam(model)(CROP, OTHER)
    assert found.shape == (model.backbone.out_size,) * 2 and np.isfinite(found).all() and abs(cosine) <= 1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_without_captum_it_says_what_to_install(monkeypatch):
    from mlaface.visualization.grad_cam import GradCAM
    monkeypatch.setitem(sys.modules, 'captum', None)
    monkeypatch.setitem(sys.modules, 'captum.attr', None)
    with pytest.raises(MissingPackageError, match=r"needs captum.*pip install 'mlaface\[captum\]'"):
        GradCAM(SimpleNamespace())
