"""Configs of configs/recipes: one for each way to train, as a user would copy it."""
from pathlib import Path

import pytest
import torch

from mlaface.engine.config import load_config
from mlaface.registry import DATA_SAMPLERS, HOOKS, MODELS, TRANSFORMS

RECIPES = sorted((Path(__file__).resolve().parent.parent / 'configs' / 'recipes').glob('*.py'))


@pytest.mark.parametrize('path', RECIPES, ids=lambda p: p.stem)
def test_a_recipe_is_whole(path):
    if 'triplet' in path.stem:
        pytest.importorskip('pytorch_metric_learning')
    config = load_config(path)
    config.model.head.num_classes = 10
    if config.model.head.type == 'SeparateHeads':
        config.model.head.label_spaces = [6, 4]
    with torch.device('meta'):
        MODELS.build(dict(config.model, backbone=dict(config.model.backbone, depth=18)))
    dataset = config.train_dataloader.dataset
    assert all(TRANSFORMS.build(cfg) for cfg in dataset.get('transforms', ()))
    assert DATA_SAMPLERS.get(config.train_dataloader.sampler.type)
    assert all(HOOKS.build(cfg) for cfg in config.get('custom_hooks', ()))


def test_the_augmentations_of_adaface_are_as_published():
    """Its scripts: crop, low resolution and light, each of a fifth; RandomResizedCrop's and ColorJitter's numbers."""
    config = load_config(RECIPES[0].parent / 'adaface_r100_ms1mv2.py')
    flip, crop, small, light = config.train_dataloader.dataset.transforms
    assert (flip.type, crop.prob, small.prob, light.prob) == ('RandomFlip', 0.2, 0.2, 0.2)
    assert crop.area == (0.2, 1.0) and crop.ratio == (3 / 4, 4 / 3) and small.scale == (0.2, 1.0)
    assert (light.brightness, light.contrast, light.saturation, light.shuffle) == (0.5, 0.5, 0.5, True)
    assert config.param_scheduler.milestones == [12, 20, 24] and config.train_cfg.max_epochs == 26
    margin = config.model.head.margin
    assert (margin.type, margin.m, margin.h) == ('AdaFace', 0.4, 0.333)


def test_published_recipes_without_augmentation_have_none():
    for name in ('arcface_r100_ms1mv3', 'mla_r100_ms1mv3', 'cosface_r100_glint360k'):
        transforms = load_config(RECIPES[0].parents[1] / f'{name}.py').train_dataloader.dataset.transforms
        assert [transform.type for transform in transforms] == ['RandomFlip']
