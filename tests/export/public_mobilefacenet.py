"""The MobileFaceNet of the public trainer, written from its names and shapes in plain torch, to compare with."""
from collections import OrderedDict

import torch
from torch import nn


def layers(*modules):
    return nn.Sequential(OrderedDict(layers=nn.Sequential(*modules)))


def conv(c_in, c_out, kernel=1, stride=1, padding=0, groups=1, prelu=True):
    return layers(nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(c_out),
                  *([nn.PReLU(c_out)] if prelu else []))


class Added(nn.Sequential):
    """A block whose input is added to what it gives."""

    def forward(self, x):
        return x + super().forward(x)


def block(c_in, c_out, hidden, stride=1, kind=nn.Sequential):
    inner = layers(conv(c_in, hidden), conv(hidden, hidden, 3, stride, 1, hidden), conv(hidden, c_out, prelu=False))
    return kind(OrderedDict(layers=inner.layers))


def run(channels, count, hidden):
    return layers(*(block(channels, channels, hidden, kind=Added) for _ in range(count)))


def public_mobilefacenet(blocks=(1, 4, 6, 2), scale=1, embedding=512):
    """Its state dict has the public names; the widths inside blocks do not grow with ``scale``."""
    c, d = 64 * scale, 128 * scale
    first = conv(c, c, 3, 1, 1, 64) if blocks[0] == 1 else run(c, blocks[0], 128)
    trunk = nn.Sequential(conv(3, c, 3, 2, 1), first, block(c, c, 128, 2), run(c, blocks[1], 128), block(c, d, 256, 2),
                          run(d, blocks[2], 256), block(d, d, 512, 2), run(d, blocks[3], 256))
    end = layers(conv(512, 512, 7, groups=512, prelu=False), nn.Flatten(), nn.Linear(512, embedding, bias=False),
                 nn.BatchNorm1d(embedding))
    return nn.Sequential(OrderedDict(layers=trunk, conv_sep=conv(d, 512), features=end))


def scramble(network, seed=0):
    """Weights, slopes and statistics as after a training; returns the network in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith('num_batches_tracked'):
            continue
        if tensor.dim() > 1:
            nn.init.kaiming_normal_(tensor, generator=generator)
        elif name.endswith(('running_mean', 'bias')):
            tensor.normal_(0, 0.1, generator=generator)
        else:
            tensor.uniform_(0.2, 1.5, generator=generator)
    return network.eval()
