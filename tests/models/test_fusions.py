"""How trunk and branches meet: by gates, side by side, by cross-attention; one branch, or several."""
import copy
import math

import pytest
import torch

from mlaface.registry import MODELS
from tests.models import tiny

PATCHES = dict(type='PatchSelfAttention', channels=64, qk_channels=8)
OWN_MAP = dict(type='MapSelfAttention', channels=64, heads=4, qk_channels=8)
BOTH = [PATCHES, OWN_MAP]
FUSIONS = {
    'gates': dict(branch=BOTH, fusion=dict(type='GatedFusion', channels=64, branches=2)),
    'gates and the neck': dict(branch=BOTH, fusion=dict(type='GatedFusion', channels=64, branches=2, norm='shared')),
    'side by side': dict(branch=BOTH, fusion=dict(type='ConcatFusion', channels=64, branches=2)),
    'across': dict(branch=PATCHES, fusion=dict(type='CrossAttentionFusion', channels=64, init=0.5)),
    'across a finer map': dict(branch=dict(PATCHES, channels=24, patch=4),
                               fusion=dict(type='CrossAttentionFusion', channels=64, branch_channels=24, init=0.5))}


def fusion_of(**config):
    return tiny.moved(MODELS.build(config)).double().eval()


def maps(count, channels=8, shape=(3, 4)):
    return [torch.randn(2, channels, *shape, dtype=torch.double) for _ in range(count)]


def normed(norm, x):
    return torch.nn.functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


@pytest.mark.parametrize('options', FUSIONS.values(), ids=FUSIONS)
def test_all_of_it_learns_in_other_memory_and_in_bfloat16(options):
    torch.manual_seed(0)
    model = tiny.recognizer(**options).double()
    tiny.moved(model.fusion)  # some start where no gradient reaches the branches
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    for each in (model, last):
        each(tiny.images(), tiny.labels(), mode='loss')['loss'].backward()
    idle = {name for name, part in model.named_parameters() if part.grad is None or not part.grad.any()}
    assert {name for name in idle if name.startswith(('branch', 'fusion'))} <= {'branch.key_conv.bias',
                                                                                 'branch.0.key_conv.bias'}
    for left, right in zip(last.parameters(), model.parameters()):
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-7, atol=1e-9)
    model.float()
    with torch.autocast('cpu', torch.bfloat16):
        loss = model(tiny.images(), tiny.labels(), mode='loss')['loss']
    loss.backward()
    assert loss.isfinite() and all(part.grad.isfinite().all() for part in model.parameters() if part.grad is not None)


@pytest.mark.slow
@pytest.mark.parametrize('options', FUSIONS.values(), ids=FUSIONS)
def test_compiled_and_exported(options, tmp_path):
    from mlaface.export.export import export_model
    eager, compiled = (tiny.recognizer(**options, **more) for more in ({}, dict(compile=dict(backend='aot_eager'))))
    compiled.load_state_dict(eager.state_dict())
    losses = [model(tiny.images(), tiny.labels(), mode='loss')['loss'] for model in (eager, compiled)]
    torch.testing.assert_close(*losses)
    for name in ('m.onnx', 'm.pt2'):
        export_model(eager, tmp_path / name)


@pytest.mark.parametrize('norm', ['separate', 'shared', 'none'])
def test_gates_of_several_branches_are_a_weighted_sum(norm):
    fusion, shared = fusion_of(type='GatedFusion', channels=8, norm=norm, branches=3), torch.nn.BatchNorm2d(8).double()
    trunk, *branches = maps(4)
    norms = [fusion.norm_trunk, *fusion.norm_branch] if norm == 'separate' else [shared.eval()] * 4
    changed = [x if norm == 'none' else normed(part, x) for part, x in zip(norms, (trunk, *branches))]
    expected = changed[0] + sum(fusion.gate[i] * x for i, x in enumerate(changed[1:]))
    torch.testing.assert_close(fusion(trunk, *branches, neck_norm=shared), expected)


def test_one_branch_in_a_list_is_one_branch_and_its_names():
    torch.manual_seed(0)
    alone = tiny.recognizer(branch=PATCHES, fusion=dict(type='GatedFusion', channels=64))
    torch.manual_seed(0)
    listed = tiny.recognizer(branch=[PATCHES], fusion=dict(type='GatedFusion', channels=64))
    assert torch.equal(alone.eval()(tiny.images()), listed.eval()(tiny.images()))
    assert [name.replace('branch.0.', 'branch.') for name in listed.state_dict()] == list(alone.state_dict())


def test_gates_are_logged_one_by_one():
    values = tiny.recognizer(**FUSIONS['gates']).gates()
    assert values == dict(gate_0=0.5, gate_1=0.5)
    assert tiny.recognizer(branch=PATCHES, fusion=dict(type='GatedFusion', channels=64)).gates() == dict(gate=0.5)


def test_side_by_side_contains_the_gate_and_starts_as_the_trunk():
    trunk, *branches = maps(3)
    gated = fusion_of(type='GatedFusion', channels=8, branches=2)
    fusion = MODELS.build(dict(type='ConcatFusion', channels=8, branches=2)).double().eval()
    for ours, theirs in zip(fusion.norms, [gated.norm_trunk, *gated.norm_branch]):
        ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(fusion(trunk, *branches), gated.norm_trunk(trunk))
    one = torch.eye(8, dtype=torch.double)
    fusion.project.weight.data[:, :, 0, 0] = torch.cat([one, gated.gate[0] * one, gated.gate[1] * one], 1)
    torch.testing.assert_close(fusion(trunk, *branches), gated(trunk, *branches))


def test_side_by_side_without_projection_leaves_all_channels_to_the_neck():
    neck = dict(type='EmbeddingNeck', in_channels=88, in_size=2, embedding_size=16)
    trunk = dict(type='IResNet', width=0.125, in_size=tiny.SIZE)
    parts = dict(type='FaceRecognizer', backbone=trunk, branch=dict(PATCHES, channels=24),
                 fusion=dict(type='ConcatFusion', channels=64, branch_channels=24, project=False, norm='none'))
    model = MODELS.build(dict(parts, neck=neck)).eval()
    x = model.preprocessor(tiny.images())
    torch.testing.assert_close(model(tiny.images()), model.neck(torch.cat([model.backbone(x), model.branch(x)], 1)))
    with pytest.raises(ValueError, match='the fusion makes maps of 88 channels.*set neck.in_channels=88'):
        MODELS.build(dict(parts, neck=dict(neck, in_channels=64)))


def test_across_is_the_formula():
    fusion = fusion_of(type='CrossAttentionFusion', channels=8, branch_channels=6, heads=2, qk_channels=3)
    (trunk,), (branch,) = maps(1), maps(1, 6, (5, 2))
    asking, answering = normed(fusion.norm_trunk, trunk).flatten(2), normed(fusion.norm_branch, branch).flatten(2)
    query, key, value = (torch.einsum('oc,ncp->nop', part.weight[:, :, 0, 0], x) for part, x in (
        (fusion.query, asking), (fusion.key, answering), (fusion.value, answering)))
    heads = [torch.einsum('npq,ncq->ncp', (torch.einsum('ncp,ncq->npq', q, k) / math.sqrt(3)).softmax(2), v)
             for q, k, v in zip(query.chunk(2, 1), key.chunk(2, 1), value.chunk(2, 1))]
    change = torch.einsum('oc,ncp->nop', fusion.project.weight[:, :, 0, 0], torch.cat(heads, 1)).unflatten(2, (3, 4))
    torch.testing.assert_close(fusion(trunk, branch), trunk + fusion.gate * change)


def test_across_starts_as_the_plain_network():
    plain = tiny.recognizer()
    fused = tiny.recognizer(branch=PATCHES, fusion=dict(type='CrossAttentionFusion', channels=64))
    fused.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(fused.eval()(tiny.images()), plain.eval()(tiny.images()), rtol=0, atol=0)


@pytest.mark.parametrize('wrong, words', [
    (dict(branch=BOTH, fusion=dict(type='GatedFusion', channels=64)), 'GatedFusion joins 1 .*set fusion.branches=2'),
    (dict(branch=PATCHES, fusion=dict(type='GatedFusion', channels=64, branches=2)), 'set fusion.branches=1'),
    (dict(branch=BOTH, fusion=dict(type='CrossAttentionFusion', channels=64)), 'CrossAttentionFusion joins 1'),
    (dict(branch=[PATCHES, dict(OWN_MAP, channels=32)], fusion=dict(type='GatedFusion', channels=64, branches=2)),
     'branch.1 makes maps of 32 channels.*set branch.1.channels=64'),
    (dict(branch=BOTH, fusion=dict(type='GatedFusion', channels=64, branches=2), variant='published'), 'one branch'),
    (dict(branch=PATCHES, fusion=dict(type='GatedFusion')), 'maps of 64 channels, .* of 512: set fusion.channels=64'),
    (dict(branch=PATCHES, fusion=dict(type='ConcatFusion', channels=7)), 'set fusion.channels=64'),
    (dict(branch=PATCHES, fusion=dict(type='CrossAttentionFusion', channels=32)), 'set fusion.channels=64'),
    (dict(branch=PATCHES, fusion=dict(type='GatedFusion', branches=0)), 'branches=0'),
    (dict(branch=PATCHES, fusion=dict(type='ConcatFusion', norm='shared')), "'shared' is unknown"),
    (dict(branch=PATCHES, fusion=dict(type='CrossAttentionFusion', channels=64, heads=5)), '5 heads do not divide 64')])
def test_what_does_not_fit_is_refused_when_built(wrong, words):
    with pytest.raises(ValueError, match=words):
        tiny.recognizer(**wrong)


@pytest.mark.parametrize('kind', ['GatedFusion', 'ConcatFusion'])
def test_maps_of_other_sizes_are_refused(kind):
    with pytest.raises(ValueError, match='differ'):
        fusion_of(type=kind, channels=8)(maps(1)[0], maps(1, 8, (4, 4))[0])


def test_mla_arcface_takes_several_branches():
    with torch.device('meta'):
        model = MODELS.build(dict(type='MLAArcFace', depth=18, head=None, fusion=dict(branches=2), branch=[
            dict(type='PatchSelfAttention'), dict(type='MapSelfAttention')]))
    assert [type(branch).__name__ for branch in model.branches] == ['PatchSelfAttention', 'MapSelfAttention']


class Nothing(torch.nn.Module):
    """A part that forgets to return."""
    channels = out_channels = 64

    def forward(self, *maps, **norm):
        return None


class Half(Nothing):
    """A part that halves the map."""

    def forward(self, *maps, **norm):
        return maps[0][..., ::2]


@pytest.mark.parametrize('options, told', [
    (dict(branch=dict(type='Nothing'), fusion=FUSIONS['across']['fusion']),
     r'branch Nothing makes NoneType of \(1, 3, 32, 32\)'),
    (dict(branch=PATCHES, fusion=dict(type='Nothing')), 'fusion Nothing makes NoneType of'),
    (dict(branch=PATCHES, fusion=dict(type='Half')),
     r'fusion Half makes \(1, 64, 2, 1\) of a map \(1, 64, 2, 2\) of the trunk'),
    (dict(branch=dict(type='Half'), fusion=dict(type='GatedFusion', channels=64)),
     r'fusion GatedFusion cannot take .*: '),
    (dict(variant='foo'), "variant='foo' is unknown"), (dict(compile='x'), "compile='x' must be True or False"),
    (dict(channels_last=3), 'channels_last=3 must be True or False'),
    (dict(backbone_options=dict(with_cp='maybe')), "with_cp='maybe' must be True or False")])
def test_what_cannot_be_meant_is_named_when_it_is_built(options, told, monkeypatch):
    for part in (Nothing, Half):
        monkeypatch.setitem(MODELS.module_dict, part.__name__, part)
    with pytest.raises(ValueError, match=told):
        tiny.recognizer(**options)


def test_stages_without_an_attention_are_told():
    with pytest.warns(UserWarning, match=r'attention_stages=\(3, 4\) does nothing: attention is None'):
        tiny.recognizer(backbone_options=dict(attention_stages=(3, 4)))
