"""The published networks filled with reproducible numbers, for golden tests."""
import zlib

import numpy as np
import torch

from mlaface.export.published import from_published, to_published
from mlaface.registry import MODELS

HYBRID = dict(attention=dict(type='HybridAttention'), activation='relu')


def recognizer(kind, depth=18, **options):
    """The published MLA-ArcFace (``'mla'``) or InsightFace's IResNet (``'plain'``), without a head."""
    mla = kind == 'mla'
    parts = dict(branch=dict(type='PatchSelfAttention'), fusion=dict(type='GatedFusion'), variant='published')
    backbone = dict(type='IResNet', depth=depth, **(HYBRID if mla else {}), **options)
    return MODELS.build(dict(type='FaceRecognizer', backbone=backbone, neck=dict(type='EmbeddingNeck'),
                             **(parts if mla else {})))


def generator(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def tensor_of(name, shape):
    """The golden file's value of a published tensor, float64."""
    g, last = generator(name), name.rpartition('.')[2]
    if last == 'num_batches_tracked':
        return torch.zeros(shape, dtype=torch.long)
    if name == 'features.weight':
        value = np.ones(shape)
    elif last in ('running_mean', 'bias'):
        value = 0.1 * g.standard_normal(shape)
    elif last == 'running_var':
        value = g.uniform(0.5, 1.5, shape)
    elif last == 'gamma':
        value = g.uniform(0.3, 0.7, shape)
    elif len(shape) == 1:
        value = g.uniform(*((0.1, 0.4) if 'prelu' in name else (0.8, 1.2)), shape)
    else:
        value = g.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(value))


def fill(model):
    """Fill a recognizer with the golden file's state, in float64."""
    published = {name: tensor_of(name, tuple(t.shape)) for name, t in to_published(model.state_dict()).items()}
    model.double().load_state_dict(from_published(published))
    return model


def golden_input():
    return torch.from_numpy(generator('input').uniform(-1, 1, (4, 3, 112, 112)))


def golden_probe():
    return torch.from_numpy(generator('probe').standard_normal((4, 512)))
