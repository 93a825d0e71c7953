"""The published networks, number for number."""
import copy

import numpy as np
import pytest
import torch
from published_network import fill, golden_input, golden_probe, recognizer

from mlaface.export.published import from_published, to_published

KINDS = ('mla', 'plain')
PARAMETERS = {'plain': {18: 24_025_600, 34: 34_139_328, 50: 43_590_848, 100: 65_156_160, 200: 118_833_920},
              'mla': {18: 24_834_969, 34: 35_019_633, 50: 44_537_481, 100: 66_254_772, 200: 120_309_607}}
TOLERANCE = {torch.float64: dict(eval=1e-9, train=1e-9, grad=1e-9),
             torch.float32: dict(eval=1e-5, train=1e-4, grad=1e-2)}


@pytest.fixture(scope='module')
def numbers(golden_file):
    path = golden_file('mla_iresnet18.npz')
    if not path.exists():
        pytest.skip(f'{path} is not there')
    return np.load(path)


def close(found, expected, relative):
    """Largest difference over the largest element."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected)
    assert np.abs(found - expected).max() <= relative * np.abs(expected).max()


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('depth', (18, 34, 50, 100, 200))
def test_parameter_count(kind, depth):
    with torch.device('meta'):
        model = recognizer(kind, depth)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[kind][depth]
    assert sum(p.numel() for p in model.parameters() if not p.requires_grad) == 512


def means_of_maps(model, x):
    """Mean absolute values that the golden file lists, by hooks."""
    means = {}

    def keep(name):
        return lambda module, args, out: means.__setitem__(name, out.abs().mean().item())

    last_blocks = {f'layer{i}': getattr(model.backbone, f'layer{i}')[-1] for i in range(1, 5)}
    hooks = [block.register_forward_hook(keep(name)) for name, block in last_blocks.items()]
    calls = []
    hooks.append(model.neck.bn2.register_forward_hook(lambda m, a, out: calls.append(out.abs().mean().item())))
    embeddings = model(x)
    for hook in hooks:
        hook.remove()
    means['map'] = calls[-1]
    if len(calls) == 3:
        means['branch'] = calls[0]
    return embeddings, means


@pytest.fixture(scope='module', params=KINDS)
def filled(request):
    """A kind and its network, which takes longer to be filled than to give embeddings."""
    return request.param, fill(recognizer(request.param)).eval()


@pytest.mark.parametrize('dtype', TOLERANCE)
def test_evaluation(filled, dtype, numbers):
    kind, model = filled[0], copy.deepcopy(filled[1]).to(dtype)
    with torch.no_grad():
        embeddings, means = means_of_maps(model, golden_input().to(dtype))
    close(embeddings, numbers[f'{kind}_eval_embeddings'], TOLERANCE[dtype]['eval'])
    assert set(means) == {key.split('_')[2] for key in numbers if key.startswith(f'{kind}_eval_') and 'mean_abs' in key}
    for name, value in means.items():
        close(value, numbers[f'{kind}_eval_{name}_mean_abs'], TOLERANCE[dtype]['eval'])


@pytest.mark.slow
@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('kind', KINDS)
def test_training_step(kind, dtype, numbers):
    model, limits = fill(recognizer(kind)).to(dtype).train(), TOLERANCE[dtype]
    embeddings = model(golden_input().to(dtype))
    loss = (embeddings * golden_probe().to(dtype)).sum() / 4
    loss.backward()
    close(embeddings.detach(), numbers[f'{kind}_train_embeddings'], limits['train'])
    close(loss.item(), numbers[f'{kind}_loss'], limits['train'])
    gradients = {to_published({n: None}).popitem()[0]: p.grad.norm().item()
                 for n, p in model.named_parameters() if p.requires_grad}
    names = numbers[f'{kind}_grad_names'].tolist()
    assert set(gradients) == set(names)
    expected = numbers[f'{kind}_grad_norms']
    np.testing.assert_allclose([gradients[n] for n in names], expected, rtol=limits['grad'],
                               atol=limits['grad'] * 1e-6 * expected.max())
    state = to_published(model.state_dict())
    sums = [state[n].double().sum().item() for n in numbers[f'{kind}_buffer_names'].tolist()]
    np.testing.assert_allclose(sums, numbers[f'{kind}_buffer_sums'], rtol=limits['train'], atol=limits['train'])
    for name in ('running_mean', 'running_var'):
        close(state[f'bn2.{name}'], numbers[f'{kind}_bn2_{name}'], limits['train'])
    assert state['bn2.num_batches_tracked'] == (3 if kind == 'mla' else 1)


@pytest.mark.parametrize('kind', KINDS)
def test_names_make_a_round_trip(kind):
    with torch.device('meta'):
        state = recognizer(kind).state_dict()
    published = to_published(state)
    assert list(from_published(published)) == list(state)
    assert not [name for name in published if name.startswith(('backbone', 'branch', 'fusion', 'neck'))]
    assert ('saatten.conv1_.weight' in published) == ('lf.gamma' in published) == (kind == 'mla')
    assert list(from_published({f'module.{name}': tensor for name, tensor in published.items()})) == list(state)


def test_published_weights_serve_separate_norms_in_evaluation():
    ours, x = fill(recognizer('mla')), golden_input()[:1]
    theirs = ours.extract(x)
    with torch.device('meta'):
        separate = recognizer('mla')
        separate.fusion = type(separate.fusion)(512, norm='separate')
    separate.double().to_empty(device='cpu')
    separate.load_state_dict(from_published(to_published(ours.state_dict()), separate_norms=True))
    torch.testing.assert_close(separate.extract(x), theirs, rtol=1e-12, atol=0)
    with pytest.raises(ValueError, match='fusion.norm_trunk'):
        to_published(separate.state_dict())
