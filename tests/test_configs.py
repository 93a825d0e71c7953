"""Every shipped config: its names, its parts on the meta device, a real step of every small one."""
from pathlib import Path

import pytest
import torch

from mlaface.registry import DATA_SAMPLERS, DATASETS, LOOPS, METRICS, MODELS, OPTIM_WRAPPERS, TRANSFORMS

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted((ROOT / 'configs').glob('*.py'))
SMALL = [path for path in CONFIGS if path.stem.endswith(('synthetic', 'faces_small'))]
CLASSES = dict(ms1mv2=85742, ms1mv3=93431, glint360k=360232, vgg2=8631, casia=10575, webface4m=205990,
               webface12m=617970, webface42m=2059906)
DEPTHS = {'r18': 18, 'r34': 34, 'r50': 50, 'r100': 100, 'r200': 200, 'r18w025': 18, 'irse50': 50, 'vitt': 12,
          'vits': 12, 'vitb': 24, 'vitl': 24}


def load(path):
    from mlaface.engine.config import load_config
    return load_config(str(path))


def classes(config, otherwise=10):
    """The count that a config states, the first of several under which its set is known."""
    stated = config.train_dataloader.dataset.get('num_classes') or otherwise
    return stated[0] if isinstance(stated, list) else stated


def build_model(config, num_classes=10):
    config.model.head.num_classes = classes(config, num_classes)
    return MODELS.build(config.model)


TRUNKS = {}  # built on the meta device, by what configs state of them


def described(config):
    """The model of a config on the meta device: the head anew, the rest once for all configs that state it alike."""
    trunk = repr({key: value for key, value in config.model.items() if key != 'head'})
    with torch.device('meta'):
        if trunk not in TRUNKS:
            TRUNKS[trunk] = build_model(config)
        config.model.head.num_classes = classes(config)
        TRUNKS[trunk].head = MODELS.build(config.model.head)
    return TRUNKS[trunk]


def test_the_promised_configs_are_there():
    names = {path.stem for path in CONFIGS}
    promised = {f'{method}_{net}_{data}' for method in ('mla', 'arcface') for data in ('ms1mv2', 'ms1mv3', 'glint360k')
                for net in ('r18', 'r34', 'r50', 'r100', 'r200', 'mbf')}
    promised |= {'cosface_r50_glint360k', 'cosface_r100_glint360k'}
    promised |= {f'{method}_r100_{data}' for method in ('mla', 'arcface') for data in (
        'vgg2', 'ms_celeb_1m', 'casia', 'webface4m', 'webface12m', 'webface42m')}
    promised |= {f'arcface_{net}_ms1mv3' for net in ('irse50', 'mbflarge', 'ghostv2', 'edgexs', 'edges')}
    promised |= {f'cosface_vit{size}_glint360k' for size in 'tsbl'}
    promised |= {f'{method}_{net}_{data}' for method in ('mla', 'arcface') for net in ('mbf', 'r18w025')
                 for data in ('synthetic', 'faces_small')}
    assert promised <= names


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_builds_on_the_meta_device(path):
    config = load(path)
    model = described(config)
    method, net, data = path.stem.split('_', 2)
    assert config.model.backbone.get('depth') == DEPTHS.get(net)
    assert (model.branch is not None) == (method == 'mla')
    assert type(model.head.margin).__name__ == ('CosFace' if method == 'cosface' else 'ArcFace')
    assert model.head.num_classes == CLASSES.get(data, 10)
    for registry, cfg in [(DATASETS, config.train_dataloader.dataset), (DATASETS, config.val_dataloader.dataset),
                          (DATA_SAMPLERS, config.train_dataloader.sampler), (LOOPS, config.train_cfg),
                          (METRICS, config.val_evaluator), (OPTIM_WRAPPERS, config.optim_wrapper)]:
        assert registry.get(cfg['type'])
    assert all(TRANSFORMS.get(cfg['type']) for cfg in config.train_dataloader.dataset.transforms)


@pytest.mark.parametrize('path', SMALL, ids=lambda p: p.stem)
def test_one_step_of_the_small_ones(path):
    torch.manual_seed(0)
    model = build_model(load(path))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.randint(0, 256, (4, 3, 112, 112), dtype=torch.uint8), torch.arange(4)
    before = [p.detach().clone() for p in model.parameters()]
    loss = model(images, labels, mode='loss')['loss']
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    learning = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learning)
    assert sum(not torch.equal(a, b) for a, b in zip(before, model.parameters())) > 0.9 * len(learning)


@pytest.mark.parametrize('data', ['vgg2', 'ms_celeb_1m'])
def test_sets_that_were_withdrawn_are_told_so_where_they_are_missing(data, tmp_path, monkeypatch):
    from mlaface.engine.data import fill_num_classes
    monkeypatch.setenv('MLAFACE_DATA', str(tmp_path))
    config = load(ROOT / 'configs' / f'mla_r100_{data}.py')
    assert classes(config, None) == CLASSES.get(data)  # a round one would refuse files
    with pytest.raises(FileNotFoundError, match=f'How to get {data}: its owners no longer give it out'):
        fill_num_classes(config)


@pytest.mark.parametrize('data, how', [('casia', 'InsightFace data set zoo'), ('webface12m', 'face-benchmark.org')])
def test_sets_that_are_given_out_are_told_so_where_they_are_missing(data, how, tmp_path, monkeypatch):
    from mlaface.engine.data import fill_num_classes
    monkeypatch.setenv('MLAFACE_DATA', str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f'How to get {data}: .*{how}'):
        fill_num_classes(load(ROOT / 'configs' / f'arcface_r100_{data}.py'))


def test_published_recipes():
    config = load(ROOT / 'configs' / 'mla_r100_ms1mv2.py')
    assert (config.train_cfg.max_epochs, config.optim_wrapper.optimizer.weight_decay) == (30, 5e-4)
    config = load(ROOT / 'configs' / 'arcface_mbf_ms1mv3.py')
    assert (config.train_cfg.max_epochs, config.optim_wrapper.optimizer.weight_decay) == (40, 1e-4)
    config = load(ROOT / 'configs' / 'arcface_r100_webface42m.py')
    assert (config.train_cfg.max_epochs, config.optim_wrapper.optimizer.weight_decay) == (20, 5e-4)
    assert config.model.head.sample_rate == 0.2
    config = load(ROOT / 'configs' / 'cosface_r100_glint360k.py')
    assert (config.train_cfg.max_epochs, config.optim_wrapper.optimizer.weight_decay) == (20, 1e-4)
    assert (config.model.head.margin.type, config.model.head.margin.m) == ('CosFace', 0.4)
    assert config.optim_wrapper.clip_grad.max_norm == 5
    assert config.train_dataloader.batch_size * 8 == config.auto_scale_lr.base_batch_size == 1024


def test_the_recipe_of_vits_is_insightfaces():
    config = load(ROOT / 'configs' / 'cosface_vitb_glint360k.py')
    optimizer, backbone = config.optim_wrapper.optimizer, config.model.backbone
    assert (optimizer.lr, optimizer.weight_decay, config.train_cfg.max_epochs, config.param_scheduler.warmup) == (
        1e-3, 0.1, 40, 4)
    assert 'momentum' not in optimizer and config.optim_wrapper.paramwise_cfg.decay_all
    assert (backbone.mask_ratio, backbone.drop_path_rate, backbone.with_cp, config.model.head.sample_rate) == (
        0.05, 0.05, True, 0.3)
