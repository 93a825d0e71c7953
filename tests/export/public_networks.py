"""IR and IR-SE, and the ViT of InsightFace's trainer, written from their public names and shapes in plain torch."""
from collections import OrderedDict

import torch
from torch import nn

COUNTS, CHANNELS = (2, 2, 2, 2), (64, 128, 256, 512)


class Excite(nn.Module):
    """Squeeze-and-excitation by 1x1 convolutions."""

    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(nn.functional.adaptive_avg_pool2d(x, 1)))))


class Unit(nn.Module):
    """A block of IR; where channels agree its shortcut is a pooling over single pixels."""

    def __init__(self, c_in, c, stride, inner_norm, excite):
        super().__init__()
        layers = [nn.BatchNorm2d(c_in), nn.Conv2d(c_in, c, 3, 1, 1, bias=False), *([nn.BatchNorm2d(c)] * inner_norm),
                  nn.PReLU(c), nn.Conv2d(c, c, 3, stride, 1, bias=False), nn.BatchNorm2d(c)]
        named = {str(number): layer for number, layer in enumerate(layers)}
        if excite:
            named['se_block' if inner_norm else str(len(layers))] = Excite(c)
        self.res_layer = nn.Sequential(OrderedDict(named))
        self.shortcut_layer = nn.MaxPool2d(1, stride) if c_in == c else nn.Sequential(
            nn.Conv2d(c_in, c, 1, stride, bias=False), nn.BatchNorm2d(c))

    def forward(self, x):
        return self.res_layer(x) + self.shortcut_layer(x)


class PublicIR(nn.Sequential):
    """IR-18 for images of 32 pixels; with ``inner_norm`` as AdaFace has it, whose last norm has no parameters."""

    def __init__(self, inner_norm=False, excite=False, embedding=24):
        units, c_in = [], 64
        for count, c in zip(COUNTS, CHANNELS):
            for index in range(count):
                units.append(Unit(c_in, c, 1 if index else 2, inner_norm, excite))
                c_in = c
        stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        end = nn.Sequential(nn.BatchNorm2d(512), nn.Dropout(0.4), nn.Flatten(), nn.Linear(512 * 4, embedding),
                            nn.BatchNorm1d(embedding, affine=not inner_norm))
        super().__init__(OrderedDict(input_layer=stem, body=nn.Sequential(*units), output_layer=end))


class Attention(nn.Module):
    """Self-attention of eight heads, written with a loop over them."""

    def __init__(self, dim, heads=8):
        super().__init__()
        self.qkv, self.proj, self.heads = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim), heads

    def forward(self, x):
        q, k, v = (part.chunk(self.heads, -1) for part in self.qkv(x).chunk(3, -1))
        heads = [torch.softmax(a @ b.mT / a.shape[-1] ** 0.5, -1) @ c for a, b, c in zip(q, k, v)]
        return self.proj(torch.cat(heads, -1))


class Layer(nn.Module):
    """A block of the transformer."""

    def __init__(self, dim):
        super().__init__()
        self.norm1, self.norm2, self.attn = nn.LayerNorm(dim), nn.LayerNorm(dim), Attention(dim)
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(dim, 4 * dim), act=nn.ReLU6(), fc2=nn.Linear(4 * dim, dim)))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PublicVit(nn.Module):
    """Its state dict has the public names; the token of masked patches is there whether anything was masked or not."""

    def __init__(self, dim, depth, side, patch=9, embedding=20):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, side ** 2, dim))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.patch_embed = nn.Sequential(OrderedDict(proj=nn.Conv2d(3, dim, patch, patch)))
        self.blocks = nn.Sequential(*(Layer(dim) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)
        self.feature = nn.Sequential(nn.Linear(dim * side ** 2, dim, bias=False), nn.BatchNorm1d(dim, eps=2e-5),
                                     nn.Linear(dim, embedding, bias=False), nn.BatchNorm1d(embedding, eps=2e-5))

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2) + self.pos_embed
        return self.feature(self.norm(self.blocks(x)).flatten(1))
