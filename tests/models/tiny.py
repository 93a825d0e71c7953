"""Small recognizers for tests, over the registry."""
import torch
from torch import nn

from mlaface.registry import ATTENTION, MODELS

SIZE = 32


@MODELS.register_module(force=True)
class TinyHead(nn.Module):
    """Linear softmax, so that these tests need no other room."""

    def __init__(self, num_classes=5, embedding_size=16):
        super().__init__()
        self.num_classes, self.embedding_size = num_classes, embedding_size
        self.weight = nn.Parameter(torch.randn(num_classes, embedding_size))

    def loss(self, embeddings, labels):
        return dict(loss=nn.functional.cross_entropy(embeddings @ self.weight.T, labels))


def backbones():
    """Names of all registered backbones."""
    return [n for n in MODELS.names() if MODELS.get(n).__module__.startswith('mlaface.models.backbones')]


def attentions():
    return [name for name in ATTENTION.names() if not name.endswith('.*')]


def recognizer(backbone='IResNet', attention=None, mla=False, neck='EmbeddingNeck', norm='separate', **options):
    """A recognizer of 1/8 width on images of 32 pixels, map 2x2."""
    trunk = dict(type=backbone, width=0.125, in_size=SIZE, attention=dict(type=attention) if attention else None)
    trunk.update(options.pop('backbone_options', {}))
    if mla:
        options.update(branch=dict(type='PatchSelfAttention', channels=64, qk_channels=8),
                       fusion=dict(type='GatedFusion', channels=64, norm=norm))
    options.setdefault('head', dict(type='TinyHead'))
    return MODELS.build(dict(type='FaceRecognizer', backbone=trunk, **options,
                             neck=dict(type=neck, in_channels=64, in_size=2, embedding_size=16)))


def moved(module, seed=0):
    """The module with every parameter and running statistic away from where it starts: some start at zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                tensor.add_(0.3 * torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype)
                            if name.endswith('running_var') else
                            0.3 * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype))
    return module


def images(count=4, size=SIZE, seed=0):
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.manual_seed(seed))


def labels(count=4):
    return torch.arange(count) % 5
