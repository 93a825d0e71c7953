"""Small recognizers for tests, over the registry."""
import torch
from torch import nn

from mlaface.registry import ATTENTION, MODELS

SIZE = 32
# what makes a backbone of 1/8 width small enough, and its map no smaller than 1x1
SMALLEST = dict(VisionTransformer=dict(depth=4, patch_size=16), EdgeFace=dict(size='xxs', layer_scale=0.5))
UNSEEN = 'attention', 'frozen_stages', 'norm_eval', 'with_cp'  # options that do not change the size of the map
KNOWN = {}


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
    return [n for n, kind in MODELS.classes().items()
            if kind.__module__.startswith('mlaface.models.backbones') and not n.endswith('.*')]


def attentions():
    return [name for name in ATTENTION.names() if not name.endswith('.*')]


def out_of(trunk):
    """Channels and size of the map of a backbone; each is built for it once."""
    key = repr(trunk)
    if key not in KNOWN:
        with torch.device('meta'):
            built = MODELS.build(trunk)
        KNOWN[key] = built.out_channels, built.out_size
    return KNOWN[key]


def recognizer(backbone='IResNet', attention=None, mla=False, neck='EmbeddingNeck', norm='separate', **options):
    """A recognizer of 1/8 width on images of 32 pixels, map 2x2 or 1x1."""
    trunk = dict(type=backbone, width=0.125, in_size=SIZE, attention=dict(type=attention) if attention else None)
    trunk.update(SMALLEST.get(backbone, {}))
    trunk.update(options.pop('backbone_options', {}))
    channels, size = out_of({key: value for key, value in trunk.items() if not key.startswith(UNSEEN)})
    if mla:
        options.update(branch=dict(type='PatchSelfAttention', channels=channels, qk_channels=8, patch=SIZE // size),
                       fusion=dict(type='GatedFusion', channels=channels, norm=norm))
    options.setdefault('head', dict(type='TinyHead'))
    wanted = options.pop('in_channels', channels)
    return MODELS.build(dict(type='FaceRecognizer', backbone=trunk, **options,
                             neck=dict(type=neck, in_channels=wanted, in_size=size, embedding_size=16)))


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
