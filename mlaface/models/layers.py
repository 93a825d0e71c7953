"""What several backbones share: width, initialisation, attention by stage, activations and norms by name."""
import inspect
import warnings

import torch
from torch import nn

from mlaface.models.mmcv_layers import build_mmcv_norm
from mlaface.registry import ATTENTION, MODELS, nearest
from mlaface.utils.errors import ArgumentError

ACTIVATIONS = dict(relu=nn.ReLU, elu=nn.ELU, silu=nn.SiLU)


def scale_channels(channels, width, divisor=8):
    """Channels times a width multiplier, rounded to a multiple of ``divisor``.

    Args:
        channels (int): Channels of the published network.
        width (float): Multiplier, above 0.
        divisor (int): Vector length that the processor likes. Default 8.

    Returns:
        int: At least ``divisor``; exactly ``channels`` where ``width`` is 1.

    Raises:
        ValueError: If ``width`` is not above 0.
    """
    if width <= 0:
        raise ValueError(f'width={width} must be above 0: it multiplies the number of channels')
    return channels if width == 1 else max(divisor, round(channels * width / divisor) * divisor)


class StridedPointwise(nn.Conv2d):
    """1x1 convolution without bias that reads every ``stride``-th pixel; names and results of ``nn.Conv2d``.

    Below 16 input channels the pixels are picked out before the convolution: there oneDNN's backward pass over
    channels-last memory writes past its workspace and ends the process (oneDNN 3.12, its issue 6035).

    Args:
        in_channels (int): Of the input map.
        channels (int): Of the output map.
        stride (int): Of both axes.
    """

    def __init__(self, in_channels, channels, stride):
        super().__init__(in_channels, channels, 1, stride=stride, bias=False)

    def forward(self, x):
        """Map (N, C_in, H, W) to map (N, C, ceil(H / stride), ceil(W / stride))."""
        if self.in_channels >= 16 or x.device.type != 'cpu':
            return super().forward(x)
        return nn.functional.conv2d(x[:, :, ::self.stride[0], ::self.stride[1]], self.weight)


def convolutions(module):
    """The 2-D convolutions whose weights a backbone draws: all but those in a part whose class says ``own_init``."""
    if isinstance(module, nn.Conv2d):
        yield module
    for part in module.children():
        if not getattr(part, 'own_init', False):
            yield from convolutions(part)


def init_convolutions(module, std=0.1):
    """Draw the convolution weights of ``module`` from normal(0, ``std``), as InsightFace's IResNet does."""
    for layer in convolutions(module):
        nn.init.normal_(layer.weight, 0.0, std)


def build_activation(given):
    """An activation, a fresh module; None gives the identity.

    Args:
        given (str | dict | None): ``'relu'``, ``'elu'``, ``'silu'``; or a config for ``MODELS``, such as
            ``dict(type='mmcv.HSwish')``; or None.

    Raises:
        ValueError: If the name is unknown; names the nearest one.
    """
    if given is None:
        return nn.Identity()
    if isinstance(given, dict):
        return MODELS.build(given)
    if given not in ACTIVATIONS:
        close = nearest(str(given), ACTIVATIONS)
        raise ValueError(f'activation={given!r} is unknown; choose None, {", ".join(map(repr, ACTIVATIONS))}, or '
                         "a dict, as dict(type='mmcv.HSwish')" + (f'. Did you mean {close!r}?' if close else ''))
    return ACTIVATIONS[given]()


def replace_norms(module, config):
    """Put another norm in the place of every BatchNorm2d of a backbone; those of attention plugins stay.

    Args:
        module (nn.Module): Built backbone; names of its parts stay as they are.
        config (dict | None): Config for ``MODELS``, which is given the number of channels as ``channels``: one of
            MMCV's by name, as ``dict(type='mmcv.GN', num_groups=8)``, or a class of one's own. None changes nothing.
    """
    if config is None:
        return
    for name, part in module.named_children():
        if isinstance(part, nn.BatchNorm2d):
            setattr(module, name, build_norm(config, part.num_features))
        elif name != 'attn':
            replace_norms(part, config)


def build_norm(config, channels):
    """A norm for maps of so many channels.

    Args:
        config (dict): See ``replace_norms``.
        channels (int): C.

    Raises:
        ArgumentError: If MMCV cannot build it of these channels.
    """
    if str(config['type']).startswith('mmcv.'):
        return build_mmcv_norm(config, channels)
    return MODELS.build(config, default_args=dict(channels=channels))


def build_attention(config, channels, stage, stages, size=7):
    """The attention plugin of one residual block, or None where the block has none.

    Args:
        config (dict | None): Config for ``ATTENTION``.
        channels (int): Channels of the block's map.
        stage (int): Stage of the block, counted from 1.
        stages (Sequence[int]): Stages that have attention.
        size (int): Height and width of the block's map, on which the plugin is tried. Default 7.

    Raises:
        ArgumentError: If the plugin takes no ``channels``, cannot take such a map, or makes another one of it.
    """
    if config is None or stage not in stages:
        return None
    _check_takes_channels(config)
    if config.get('channels', channels) != channels:
        raise ArgumentError(f'attention {config["type"]!r}: channels={config["channels"]!r} is not for the config to '
                            f'say: each block tells those of its map, here {channels}. Leave it out')
    plugin = ATTENTION.build(config, default_args=dict(channels=channels))
    _check_keeps_shape(plugin, config['type'], (1, channels, size, size))
    return plugin


def _check_takes_channels(config):
    kind = ATTENTION.get(config['type']) if isinstance(config.get('type'), str) else config.get('type')
    if inspect.isclass(kind):
        taken = inspect.signature(kind).parameters
        if 'channels' not in taken and all(each.kind is not each.VAR_KEYWORD for each in taken.values()):
            raise ArgumentError(f'attention {kind.__name__!r} does not take channels, by which a block tells it those '
                                'of its map: write def __init__(self, channels, ...). It takes '
                                f'{", ".join(taken) or "nothing"}')


@torch.no_grad()
def _check_keeps_shape(plugin, name, shape):
    """Try a plugin on one map, before the first image does; in evaluation, which changes nothing in it."""
    if not isinstance(plugin, nn.Module):
        raise ArgumentError(f'attention {name!r} is no torch.nn.Module')
    device = next((parameter.device for parameter in plugin.parameters()), None)
    training = plugin.training
    try:
        made = plugin.eval()(torch.zeros(shape, device=device))
    except Exception as error:  # whatever a plugin raises is a word about the map
        word = (str(error) or type(error).__name__).splitlines()[0]
        raise ArgumentError(f'attention {name!r} cannot take a map of shape {shape}: {word}. Set its arguments for '
                            'that size, or attention_stages to the stages of a size that it takes') from error
    finally:
        plugin.train(training)
    found = tuple(made.shape) if torch.is_tensor(made) else type(made).__name__
    if found != shape:
        raise ArgumentError(f'attention {name!r} makes {found} of a map of shape {shape}: in a residual block the '
                            'shape must stay')
    if made.dtype != torch.get_default_dtype():
        raise ArgumentError(f'attention {name!r} makes {made.dtype} of a map of {torch.get_default_dtype()}: the type '
                            'must stay')


def switch(value, name):
    """The value of an option that is on or off (bool); ``ValueError`` for anything else, which would count as on."""
    if not isinstance(value, bool):
        raise ValueError(f'{name}={value!r} must be True or False')
    return value


def check_stages(stages, count, attention):
    """Refuse stages that a backbone does not have, and warn of a choice of them that nothing stands in.

    Raises:
        ValueError: If it is no sequence, one is not in 1 .. ``count``, or one stands there twice.
    """
    if not isinstance(stages, (list, tuple, range)):
        raise ValueError(f'attention_stages={stages!r} must be a list of stages, of 1 to {count}')
    wrong = [stage for stage in stages if type(stage) is not int or not 1 <= stage <= count]
    if len(set(stages)) < len(stages) and not wrong:
        raise ValueError(f'attention_stages={tuple(stages)}: a stage stands there twice')
    if wrong:
        raise ValueError(f'attention_stages={tuple(stages)}: this backbone has stages 1 to {count}, not {wrong}')
    if attention is None and len(stages) < count:
        warnings.warn(f'attention_stages={tuple(stages)} does nothing: attention is None', stacklevel=3)
