"""MLA-gated ArcFace by one name: the network of the configs, found by whoever looks for it among the margins."""
import inspect
from pathlib import Path

import pytest
import tiny
import torch

from mlaface.engine.config import load_config
from mlaface.engine.errors import ConfigError
from mlaface.models.recognizer import FaceRecognizer
from mlaface.registry import ATTENTION, MARGINS, MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def test_a_config_of_the_name_alone_is_that_of_the_parts(tmp_path):
    path = tmp_path / 'short.py'
    path.write_text(f"_base_ = '{CONFIGS}/arcface_r100_ms1mv3.py'\nmodel = dict(_delete_=True, type='MLAArcFace')\n")
    assert load_config(path).model == load_config(CONFIGS / 'mla_r100_ms1mv3.py').model
    changed = load_config(path, ['model.depth=18', 'model.backbone.with_cp=True', 'model.head.sample_rate=0.1']).model
    assert (changed.backbone.depth, changed.backbone.with_cp, changed.head.sample_rate) == (18, True, 0.1)
    assert changed.backbone.attention.type == 'HybridAttention' and changed.head.margin.type == 'ArcFace'


@pytest.mark.parametrize('net', ['r34', 'r18w025'])
def test_arcface_becomes_mla_arcface_by_its_type(net):
    data = 'ms1mv2' if net == 'r34' else 'synthetic'
    gated = load_config(CONFIGS / f'arcface_{net}_{data}.py', ['model.type=MLAArcFace']).model
    assert gated == {**load_config(CONFIGS / f'mla_{net}_{data}.py').model, 'branch': gated.branch}
    assert gated.branch.channels == gated.neck.in_channels


def test_the_same_weights_and_outputs_from_the_same_seed():
    parts = load_config(CONFIGS / 'mla_r18w025_synthetic.py').model
    parts.head.num_classes = 5
    short = dict(type='MLAArcFace', depth=18, width=0.25, embedding_size=256, channels_last=True,
                 head=dict(num_classes=5, margin=dict(type='ArcFace', s=32.0, m=0.35)))
    losses, states = [], []
    for config in (parts, short):
        torch.manual_seed(0)
        model = MODELS.build(config)
        losses.append(model(tiny.images(size=112), tiny.labels(), mode='loss')['loss'])
        states.append({name: value for name, value in model.state_dict().items() if torch.is_tensor(value)})
    assert torch.equal(*losses) and states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_the_published_variant_and_inference_without_a_head():
    with torch.device('meta'):
        model = MODELS.build(dict(type='MLAArcFace', depth=18, variant='published', head=None))
    assert model.branch.clamp == (-1, 1) and model.fusion.norm == 'shared' and model.head is None


def test_it_takes_what_a_recognizer_takes():
    taken = inspect.signature(MODELS.get('MLAArcFace')).parameters
    assert set(inspect.signature(FaceRecognizer).parameters) | {'depth', 'width', 'embedding_size'} == set(taken)


@pytest.mark.parametrize('model, message', [
    (dict(dept=50), "MLAArcFace has no argument 'dept'; did you mean 'depth'"),
    (dict(backbone=dict(type='MobileFaceNet')), 'is on an IResNet, not on MobileFaceNet: write .*mla_mobilefacenet.py'),
    (dict(head=dict(margn=1)), "MarginHead has no argument 'margn'; did you mean 'margin'")])
def test_slips_are_refused_in_configs_too(tmp_path, model, message):
    path = tmp_path / 'own.py'
    path.write_text(f'model = {dict(model, type="MLAArcFace")}\n')
    with pytest.raises(ConfigError, match=message) as error:
        load_config(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize('name', ['MLAArcFace', 'MLA-ArcFace', 'mla_gated_arcface', 'MLAGatedArcFace', 'MLA_ArcFace'])
@pytest.mark.parametrize('registry', [MARGINS, MODELS, ATTENTION], ids=lambda registry: registry.name)
def test_who_looks_for_it_is_led_to_it(registry, name):
    if registry is MODELS and name == 'MLAArcFace':
        return
    with pytest.raises(KeyError, match="did you mean 'MLAArcFace'") as error:
        registry.get(name)
    if registry is not MODELS:
        assert "of the registry 'model'? MLA-gated ArcFace, a network and no margin: " in error.value.args[0]


def test_a_margin_of_that_name_is_refused_with_the_way_to_the_network():
    with pytest.raises(ConfigError, match="head.margin .*'MLAArcFace' of the registry 'model'. MLA-gated ArcFace"):
        load_config(CONFIGS / 'arcface_r18w025_synthetic.py', ['model.head.margin.type=MLAGatedArcFace'])
