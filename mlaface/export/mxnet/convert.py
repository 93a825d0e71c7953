"""LResNet-E-IR of InsightFace's first models and our IResNet: one network under two sets of names."""
import math
import re
from pathlib import Path

import numpy as np
import torch

from mlaface.export.mxnet.params import read_params, write_params
from mlaface.export.mxnet.symbol import Design, read_symbol, write_symbol
from mlaface.models.backbones.iresnet import DEPTHS
from mlaface.registry import MODELS
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.files import atomic_path
from mlaface.utils.texts import read_text
from mlaface.version import __version__

OUTSIDE = {'backbone.conv1': 'conv0', 'backbone.bn1': 'bn0', 'backbone.prelu': 'relu0', 'neck.bn2': 'bn1',
           'neck.fc': 'pre_fc1', 'neck.features': 'fc1'}
INSIDE = {'bn1': 'bn1', 'conv1': 'conv1', 'bn2': 'bn2', 'prelu': 'relu1', 'conv2': 'conv2', 'bn3': 'bn3',
          'downsample.0': 'conv1sc', 'downsample.1': 'sc'}
NORM = dict(weight='arg:{}_gamma', bias='arg:{}_beta', running_mean='aux:{}_moving_mean',
            running_var='aux:{}_moving_var')
LAYER = dict(weight='arg:{}_weight', bias='arg:{}_bias')
EPS = 1e-5  # of torch's norms
IGNORED = re.compile(r'arg:(fc7\w*|data|softmax_label)')  # class centres of a training


def mxnet_name(name):
    """The name in a ``.params`` file of a tensor of ours, such as ``arg:stage1_unit1_bn1_gamma``; None for counters."""
    layer, _, part = name.rpartition('.')
    if part == 'num_batches_tracked':
        return None
    block = re.fullmatch(r'backbone\.layer(\d)\.(\d+)\.(.+)', layer)
    theirs = f'stage{block[1]}_unit{int(block[2]) + 1}_{INSIDE[block[3]]}' if block else OUTSIDE[layer]
    if 'prelu' in layer:
        return f'arg:{theirs}_gamma'
    is_norm = 'bn' in layer or layer.endswith(('downsample.1', 'features'))
    return (NORM if is_norm else LAYER)[part].format(theirs)


def config_of(design, size):
    """The config of our network, of a design and the height of its last map (dict)."""
    depth = next((depth for depth, units in DEPTHS.items() if units == design.units), None)
    width = design.channels[0] / 64
    if depth is None or any(have != round(want * width) for have, want in zip(design.channels, (64, 128, 256, 512))):
        raise InputError(f'blocks {design.units} of {design.channels} channels are no IResNet; there are the depths '
                         f'{", ".join(map(str, DEPTHS))}')
    return dict(type='FaceRecognizer', backbone=dict(type='IResNet', depth=depth, width=width, in_size=16 * size),
                neck=dict(type='EmbeddingNeck', in_channels=design.channels[-1], in_size=size,
                          embedding_size=design.embedding_size, dropout=design.dropout),
                preprocessor=dict(mean=design.mean, std=1 / design.scale))


def from_mxnet(params, out, symbol=None):
    """Write a checkpoint of ours of one of InsightFace's first models.

    MXNet's norms add 2e-5 to the variance and torch's 1e-5: the difference goes into the variances.

    Args:
        params (str | Path): ``model-0000.params``.
        out (str | Path): ``.pth`` to write, with its config.
        symbol (str | Path, optional): Default: ``model-symbol.json`` beside it.

    Returns:
        dict: The config of the network.

    Raises:
        MissingDataError: If a file is not there.
        InputError: If it is no such file, or of another network; names the first tensor or operator that differs.
    """
    symbol = Path(symbol) if symbol else symbol_path(params)
    if not symbol.is_file():
        raise MissingDataError(f'no symbol at {symbol}: it says what the parameters are of; name it by --symbol')
    try:
        design = read_symbol(read_text(symbol))
    except InputError as error:
        raise InputError(f'{symbol}: {error}') from error
    arrays = {name: array for name, array in read_params(params).items() if not IGNORED.fullmatch(name)}
    columns = arrays['arg:pre_fc1_weight'].shape[1] if 'arg:pre_fc1_weight' in arrays else 0
    config = config_of(design, math.isqrt(columns // design.channels[-1]))
    state = MODELS.build(config).state_dict()
    _fill(state, arrays, design, params)
    _save(out, config, state)
    return config


def symbol_path(params):
    """Where the symbol of ``PREFIX-0000.params`` lies: ``PREFIX-symbol.json``."""
    return Path(params).with_name(re.sub(r'(-\d+)?\.params$', '', Path(params).name) + '-symbol.json')


def _fill(state, arrays, design, source):
    wanted = {name: mxnet_name(name) for name in state if mxnet_name(name)}
    for ours, theirs in wanted.items():
        if theirs not in arrays or arrays[theirs].shape != tuple(state[ours].shape):
            have = arrays[theirs].shape if theirs in arrays else 'missing'
            raise InputError(f'{source}: {theirs} is {have}, and the network needs {tuple(state[ours].shape)}')
        state[ours] = torch.from_numpy(arrays[theirs].astype(np.float64)).float()
        if ours.endswith('running_var'):
            state[ours] = torch.from_numpy(arrays[theirs].astype(np.float64) + (design.eps - EPS)).float()
    state['neck.features.weight'].fill_(1)  # fix_gamma: whatever stands in the file is taken for 1
    extra = sorted(set(arrays) - set(wanted.values()))
    if extra:
        raise InputError(f'{source} holds {len(extra)} arrays more than the network has, such as {extra[0]}')


def _save(out, config, state):
    model = MODELS.build(config)
    content = dict(schema=1, mlaface=__version__, config=f'model = {config!r}\n', model=dict(
        state_dict=state, embedding_size=model.embedding_size, input=model.input_spec))
    with atomic_path(out) as temporary:
        torch.save(content, temporary)


def to_mxnet(model, params):
    """Write an IResNet of ours as ``PREFIX-0000.params`` and ``PREFIX-symbol.json``, which MXNet loads.

    The symbol states torch's 1e-5 for its norms, so that every number stays what it is.

    Args:
        model (FaceRecognizer): ``IResNet`` without attention, ``EmbeddingNeck``, no branch.
        params (str | Path): Where to; the symbol goes beside it.

    Returns:
        int: Arrays written.

    Raises:
        InputError: If LResNet-E-IR has no place for a part of the network; names it.
    """
    design = _design_of(model)
    arrays = {}
    for name, tensor in model.state_dict().items():
        theirs = mxnet_name(name) if not name.startswith('head.') else None
        if theirs is not None:
            arrays[theirs] = tensor.detach().cpu().float().numpy()
    arrays = dict(sorted(arrays.items(), key=lambda item: item[0].startswith('aux:')))  # parameters, then statistics
    write_params(params, arrays)
    with atomic_path(symbol_path(params)) as temporary:
        temporary.write_text(write_symbol(design))
    return len(arrays)


def _design_of(model):
    """The design of a network of ours, or why it has none."""
    spec, backbone, neck = model.input_spec, model.backbone, model.neck
    plain = (type(backbone).__name__, type(neck).__name__) == ('IResNet', 'EmbeddingNeck') and model.branch is None
    if not plain or backbone.conv1.stride != (1, 1) or _unknown(model):
        raise InputError('only IResNet without attention, branch or activation after the sum, with EmbeddingNeck, has '
                         'a form in MXNet' + (f': {_unknown(model)} has none' if plain and _unknown(model) else ''))
    if spec['color'] != 'RGB' or len({*spec['mean']}) > 1 or len({*spec['std']}) > 1:
        raise InputError(f'MXNet\'s networks take RGB images with one mean and one std, and this one {spec}')
    layers = [getattr(backbone, f'layer{stage}') for stage in (1, 2, 3, 4)]
    return Design(tuple(map(len, layers)), tuple(layer[0].conv2.out_channels for layer in layers), neck.embedding_size,
                  spec['mean'][0], 1 / spec['std'][0], EPS, neck.dropout.p)


def _unknown(model):
    """The first module that LResNet-E-IR does not have, or None."""
    for name, module in model.backbone.named_modules():
        if name.endswith(('.attn', '.activation')) and type(module).__name__ != 'Identity':
            return f'{name} ({type(module).__name__})'
    return None
