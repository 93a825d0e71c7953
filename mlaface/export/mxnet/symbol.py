"""The graph of InsightFace's LResNet-E-IR as MXNet's ``-symbol.json``.

Source: ``fresnet.py`` of github.com/deepinsight/insightface, unit 3, input 1, output E. A symbol is a list of nodes;
one of operator ``null`` is an input or a parameter, the others name the nodes that they take.
"""
import ast
import json
from dataclasses import dataclass

from mlaface.utils.errors import InputError

VERSION = 10901
OUTPUTS = dict(BatchNorm=3, Dropout=2)  # that MXNet counts: statistics and mask too
SUBTRACT, MULTIPLY = ('_minus_scalar', '_MinusScalar'), ('_mul_scalar', '_MulScalar')
ADD = ('elemwise_add', '_Plus', '_plus')
PASSED = ('_copy', 'identity', 'Dropout', *SUBTRACT, *MULTIPLY)  # what changes no map, or is told by the design
# of each operator the attributes that count, with MXNet's defaults
COUNT = dict(Convolution=dict(kernel=None, stride=(1, 1), pad=(0, 0), num_filter=None, no_bias=False),
             BatchNorm=dict(fix_gamma=True, eps=1e-3), LeakyReLU=dict(act_type='leaky'), elemwise_add={},
             FullyConnected=dict(num_hidden=None, no_bias=False))


@dataclass(frozen=True)
class Design:
    """What tells one LResNet-E-IR from another.

    Args:
        units (tuple[int]): Blocks of the four stages.
        channels (tuple[int]): Of the four stages; the stem has those of the first.
        embedding_size (int): Numbers of an embedding.
        mean (float): Subtracted from pixels 0..255.
        scale (float): They are multiplied by it after that.
        eps (float): Added to variances.
        dropout (float): Share zeroed in training.
    """
    units: tuple
    channels: tuple
    embedding_size: int
    mean: float = 127.5
    scale: float = 0.0078125
    eps: float = 2e-5
    dropout: float = 0.4


class _Graph:
    """A symbol that grows by one operator at a time, each of which takes the output of another."""

    def __init__(self):
        self.nodes = [dict(op='null', name='data', inputs=[])]

    def add(self, op, name, inputs, parameters=(), states=(), **attrs):
        """Add an operator behind nodes, with parameters of its own; returns its number."""
        attrs = {key: str(value) for key, value in sorted(attrs.items())}
        own = []
        for kind in (*parameters, *states):
            own.append(len(self.nodes))
            self.nodes.append(dict(op='null', name=f'{name}_{kind}', **({'attrs': attrs} if attrs else {}), inputs=[]))
        taken = [[number, 0, 0] for number in inputs]
        taken += [[number, 0, int(kind in states)] for number, kind in zip(own, (*parameters, *states))]
        self.nodes.append(dict(op=op, name=name, **({'attrs': attrs} if attrs else {}), inputs=taken))
        return len(self.nodes) - 1

    def text(self):
        """The file's content."""
        rows, count = [], 0
        for node in self.nodes:
            rows.append(count)
            count += OUTPUTS.get(node['op'], 1)
        places = [number for number, node in enumerate(self.nodes) if node['op'] == 'null']
        content = dict(nodes=self.nodes, arg_nodes=places, node_row_ptr=[*rows, count],
                       heads=[[len(self.nodes) - 1, 0, 0]], attrs=dict(mxnet_version=['int', VERSION]))
        return json.dumps(content, indent=2)


def write_symbol(design):
    """The text of a ``-symbol.json``.

    Args:
        design (Design): The network.

    Returns:
        str: JSON, which MXNet 1.x loads.
    """
    graph = _Graph()
    x = graph.add('_copy', 'id', [0])
    x = graph.add('_minus_scalar', '_minusscalar0', [x], scalar=design.mean)
    x = graph.add('_mul_scalar', '_mulscalar0', [x], scalar=design.scale)
    x = _convolution(graph, 'conv0', x, design.channels[0], 3)
    x = _prelu(graph, 'relu0', _norm(graph, 'bn0', x, design.eps))
    for stage, (units, channels) in enumerate(zip(design.units, design.channels), 1):
        for unit in range(1, units + 1):
            x = _unit(graph, f'stage{stage}_unit{unit}', x, channels, 2 if unit == 1 else 1, unit == 1, design.eps)
    x = graph.add('Dropout', 'dropout0', [_norm(graph, 'bn1', x, design.eps)], p=design.dropout)
    x = graph.add('FullyConnected', 'pre_fc1', [x], ('weight', 'bias'), num_hidden=design.embedding_size)
    _norm(graph, 'fc1', x, design.eps, fixed=True)
    return graph.text()


def _unit(graph, name, x, channels, stride, joined, eps):
    out = _norm(graph, f'{name}_bn1', x, eps)
    out = _convolution(graph, f'{name}_conv1', out, channels, 3)
    out = _prelu(graph, f'{name}_relu1', _norm(graph, f'{name}_bn2', out, eps))
    out = _norm(graph, f'{name}_bn3', _convolution(graph, f'{name}_conv2', out, channels, 3, stride), eps)
    if joined:
        x = _norm(graph, f'{name}_sc', _convolution(graph, f'{name}_conv1sc', x, channels, 1, stride), eps)
    return graph.add('elemwise_add', f'{name}_plus', [out, x])


def _convolution(graph, name, x, channels, kernel, stride=1):
    pad = kernel // 2
    return graph.add('Convolution', name, [x], ('weight',), kernel=(kernel, kernel), no_bias=True, num_filter=channels,
                     pad=(pad, pad), stride=(stride, stride))


def _norm(graph, name, x, eps, fixed=False):
    return graph.add('BatchNorm', name, [x], ('gamma', 'beta'), ('moving_mean', 'moving_var'), eps=eps, fix_gamma=fixed,
                     momentum=0.9)


def _prelu(graph, name, x):
    return graph.add('LeakyReLU', name, [x], ('gamma',), act_type='prelu')


def read_symbol(text):
    """What a symbol says that its parameters do not, and proof that it is an LResNet-E-IR.

    Args:
        text (str): A ``-symbol.json`` of MXNet 0.x or 1.x, up to the embedding or further (a training has its loss in
            it).

    Returns:
        Design: The network.

    Raises:
        InputError: If it is no symbol, or of another network; says where it departs.
    """
    try:
        nodes = [_Node(node) for node in json.loads(text)['nodes']]
        end = next((place for place, node in enumerate(nodes) if node.name == 'fc1'), None)
        if end is None:
            raise InputError('no node is called fc1, as the embedding of these networks is')
        design = _design(nodes[:end + 1])
        found, expected = _essence(nodes[:end + 1]), _essence(map(_Node, json.loads(write_symbol(design))['nodes']))
    except (KeyError, TypeError, ValueError, IndexError, StopIteration, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f'it is no symbol of MXNet ({type(error).__name__}: {error})') from error
    for number, (one, other) in enumerate(zip(found, expected)):
        if one != other:
            raise InputError(f'operator {number} is {_told(one)}, where an LResNet-E-IR has {_told(other)}')
    if len(found) != len(expected):
        raise InputError(f'it has {len(found)} operators, where an LResNet-E-IR of its depth has {len(expected)}')
    return design


class _Node:
    """A node as a file of any age has it."""

    def __init__(self, node):
        self.op, self.name = node['op'], node['name']
        self.op = 'elemwise_add' if self.op in ADD else self.op
        self.inputs = [entry[0] for entry in node['inputs']]
        self.attrs = {**node.get('param', {}), **node.get('attr', {}), **node.get('attrs', {})}

    def value(self, key, default=None):
        text = self.attrs.get(key)
        try:
            return default if text is None else ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text


def _design(nodes):
    """The design that the nodes up to the embedding suggest."""
    known = {node.name: node for node in nodes}
    units, channels = [], []
    for stage in (1, 2, 3, 4):
        names = {name.split('_')[1] for name in known if name.startswith(f'stage{stage}_unit')}
        units.append(len(names))
        channels.append(known[f'stage{stage}_unit1_conv2'].value('num_filter'))
    scalars = [next((float(node.value('scalar')) for node in nodes if node.op in ops), default)
               for ops, default in ((SUBTRACT, 0.0), (MULTIPLY, 1.0))]
    dropout = next((float(node.value('p', 0.5)) for node in nodes if node.op == 'Dropout'), 0.0)
    return Design(tuple(units), tuple(channels), known['pre_fc1'].value('num_hidden'), *scalars,
                  eps=known['fc1'].value('eps', 1e-3), dropout=dropout)


def _essence(nodes):
    """Operators that make the embedding: what each is, its name but for sums, attributes that count, and its inputs."""
    kept, stand_for = [], {}
    for place, node in enumerate(nodes):
        if node.op == 'null':
            stand_for[place] = node.name
        elif node.op in PASSED:
            stand_for[place] = stand_for[node.inputs[0]]
        else:
            stand_for[place] = len(kept)
            kept.append((node.op, '' if node.op == 'elemwise_add' else node.name,
                         tuple((key, node.value(key, default)) for key, default in COUNT.get(node.op, {}).items()),
                         tuple(stand_for[number] for number in node.inputs)))
    return kept


def _told(operator):
    op, name, attrs, inputs = operator
    return f'{op} {name} ({", ".join(f"{key}={value}" for key, value in attrs)}) of {", ".join(map(str, inputs))}'
