"""With ``randomness.deterministic`` torch refuses, on a GPU, operators that it has in no deterministic form.

There is no GPU here: all parts run, forward and backward, on tensors without data, which take the way of a GPU where
ours differs from a processor's, and the operators that arrive are compared with what torch says of itself.
"""
import contextlib
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mlaface.engine.optimizers.adamw import RowAdamW
from mlaface.engine.optimizers.sgd import RowSGD
from mlaface.models.heads.margin_head import MarginHead
from mlaface.models.losses import _teacher
from mlaface.registry import ATTENTION, LOSSES, MARGINS, MODELS
from tests.models import tiny
from tests.models.test_fusions import FUSIONS

# torch 2.13, torch.use_deterministic_algorithms: what throws there, by the names of ATen
REFUSED = ('avg_pool3d_backward', '_adaptive_avg_pool2d_backward', '_adaptive_avg_pool3d_backward',
           'adaptive_max_pool2d_backward', 'adaptive_max_pool3d_backward', 'fractional_max_pool2d_backward',
           'fractional_max_pool3d_backward', 'max_unpool2d', 'max_unpool3d', 'upsample_linear1d_backward',
           'upsample_bilinear2d_backward', 'upsample_bicubic2d_backward', 'upsample_trilinear3d_backward',
           '_upsample_bilinear2d_aa_backward', '_upsample_bicubic2d_aa_backward', 'reflection_pad1d_backward',
           'reflection_pad2d_backward', 'reflection_pad3d_backward', 'nll_loss_forward', 'nll_loss2d_forward',
           '_ctc_loss_backward', '_embedding_bag_backward', 'put_', 'histc', 'median.dim', 'nanmedian.dim', 'kthvalue',
           'grid_sampler_2d_backward', 'grid_sampler_3d_backward', 'resize_')


class OnAGpu(TorchDispatchMode):
    """Fails as a GPU would where only deterministic operators may be used."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name, kwargs = function.name().split('::')[1], kwargs or {}
        refused = name in REFUSED or name.partition('.')[0] in REFUSED
        refused |= name.startswith('cumsum') and args[0].is_floating_point()
        refused |= name.startswith('bincount') and (len(args) > 1 and args[1] is not None)
        refused |= name.startswith('scatter_reduce') and 'prod' in (*args[4:], kwargs.get('reduce'))
        assert not refused, f'{name} has no deterministic form on a GPU'
        return function(*args, **kwargs)


@pytest.fixture(autouse=True)
def _deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def learn(model, size=tiny.SIZE):
    """Forward and backward of images in the head of these tests."""
    model = model.to('meta').train()
    images = torch.zeros(2, 3, size, size, dtype=torch.uint8, device='meta')
    with OnAGpu():
        model(images, mode='tensor').sum().backward()
    assert any(part.grad is not None for part in model.parameters())


@pytest.mark.parametrize('refused', [
    lambda x: torch.nn.functional.adaptive_max_pool2d(x, 1), lambda x: torch.nn.functional.adaptive_avg_pool2d(x, 2),
    lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1), mode='reflect'), lambda x: x.cumsum(1), lambda x: x.median(1)[0],
    lambda x: torch.nn.functional.interpolate(x, scale_factor=2, mode='bicubic')])
def test_what_torch_refuses_is_found(refused):
    with OnAGpu(), pytest.raises(AssertionError, match='has no deterministic form'):
        refused(torch.zeros(1, 2, 4, 4, device='meta', requires_grad=True)).sum().backward()


@pytest.mark.parametrize('backbone', tiny.backbones())
def test_backbones(backbone):
    learn(tiny.recognizer(backbone))


@pytest.mark.parametrize('neck', [name for name in MODELS.names() if name.endswith('Neck') and name != 'TokenNeck'])
def test_necks(neck):
    learn(tiny.recognizer(neck=neck))


@pytest.mark.parametrize('name', tiny.attentions())
def test_attention(name):
    variants = dict(NonLocal=[dict(), dict(pool=2)], GatherExcite=[dict(), dict(extent=2),
                                                                  dict(extent=0, learned=True, size=14),
                                                                  dict(extent=2, learned=True)])
    for options in variants.get(name, [dict()]):
        plugin = ATTENTION.build(dict(type=name, channels=64, **options))
        if hasattr(plugin, 'tell_size'):
            plugin.tell_size(14)
        x = torch.zeros(2, 64, 14, 14, device='meta', requires_grad=True)
        with OnAGpu():
            plugin.to('meta')(x).sum().backward()


OTHER_PLACES = [dict(branch=dict(type='MapSelfAttention', channels=64, position=position, size=3),
                     fusion=dict(type='GatedFusion', channels=64)) for position in ('learned', None)]


@pytest.mark.parametrize('options', [*FUSIONS.values(), *OTHER_PLACES], ids=str)
def test_branches_and_fusions(options):
    learn(tiny.recognizer(**options))


@pytest.fixture
def _no_autocast(monkeypatch):
    """Tensors without data know none."""
    monkeypatch.setattr(torch, 'autocast', lambda *args, **kwargs: contextlib.nullcontext())


def learn_head(head, count=6):
    head.to('meta')
    head._check = lambda embeddings, labels: torch.zeros(len(labels), dtype=torch.bool, device='meta')
    embeddings = torch.zeros(count, 8, device='meta', requires_grad=True)
    with OnAGpu():
        head.loss(embeddings, torch.zeros(count, dtype=torch.int64, device='meta'))['loss'].backward()
    return head


@pytest.mark.parametrize('name', MARGINS.names())
@pytest.mark.parametrize('options', [dict(), dict(chunk_size=7), dict(sample_rate=0.5), dict(losses=[
    dict(type='CentroidPenalty')])], ids=str)
@pytest.mark.usefixtures('_no_autocast')
def test_margins_and_heads(name, options):
    margin = dict(type=name)
    if 'losses' in options and not MARGINS.build(margin).normalized:
        pytest.skip('that loss takes cosines')
    learn_head(MarginHead(20, 8, margin, **options))


@pytest.mark.parametrize('name', ['CosineDistillation', 'RelationalDistillation'])
def test_distillation(name, monkeypatch):
    monkeypatch.setattr(_teacher, 'import_module', lambda name: SimpleNamespace(open_network=lambda *_, **__: None))
    loss = LOSSES.build(dict(type=name, teacher='scene.onnx'))
    embeddings = torch.randn(6, 8, device='meta', requires_grad=True)
    with OnAGpu():
        loss(embeddings, torch.zeros(6, dtype=torch.int64, device='meta'), targets=torch.zeros(6, 8, device='meta')
             ).backward()


@pytest.mark.parametrize('kind', [RowSGD, RowAdamW])
def test_updates_of_sampled_rows(kind):
    weight = torch.nn.Parameter(torch.zeros(20, 8, device='meta'))
    optimizer = kind([weight], lr=0.1, weight_decay=0.1)
    with OnAGpu():
        for _ in range(2):
            rows = torch.zeros(1, 4, dtype=torch.int64, device='meta')
            weight.grad = torch.sparse_coo_tensor(rows, torch.zeros(4, 8, device='meta'), (20, 8), is_coalesced=True)
            optimizer.step()
