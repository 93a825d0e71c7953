"""Models with real mxnet 1.9.1, in an environment of its own (Python 3.8 to 3.10, numpy below 1.24).

    python mxnet_models.py run PREFIX IMAGES.npy OUT.npy   embeddings, and the files written again as PREFIX-again
    python mxnet_models.py make PREFIX IMAGES.npy OUT.npy  a small LResNet-E-IR by mxnet's own operators, and as run
"""
import sys

import numpy

numpy.bool = bool  # mxnet 1.9.1 asks for the alias that numpy has dropped
import mxnet as mx  # noqa: E402


def norm(x, name, fixed=False):
    return mx.sym.BatchNorm(data=x, fix_gamma=fixed, eps=2e-5, momentum=0.9, name=name)


def convolution(x, name, channels, kernel=3, stride=1):
    return mx.sym.Convolution(data=x, num_filter=channels, kernel=(kernel, kernel), stride=(stride, stride),
                              pad=(kernel // 2, kernel // 2), no_bias=True, workspace=256, name=name)


def unit(x, name, channels, stride, joined):
    out = mx.sym.LeakyReLU(data=norm(convolution(norm(x, name + '_bn1'), name + '_conv1', channels), name + '_bn2'),
                           act_type='prelu', name=name + '_relu1')
    out = norm(convolution(out, name + '_conv2', channels, stride=stride), name + '_bn3')
    return out + (norm(convolution(x, name + '_conv1sc', channels, 1, stride), name + '_sc') if joined else x)


def network(size=8):
    """Eighth width, depth 18, in the words of MXNet's Python interface."""
    x = mx.sym.identity(data=mx.sym.Variable('data'), name='id')
    x = (x - 127.5) * 0.0078125
    x = mx.sym.LeakyReLU(data=norm(convolution(x, 'conv0', 8), 'bn0'), act_type='prelu', name='relu0')
    for stage, channels in enumerate((8, 16, 32, 64), 1):
        for number in (1, 2):
            x = unit(x, f'stage{stage}_unit{number}', channels, 2 if number == 1 else 1, number == 1)
    x = mx.sym.Dropout(data=norm(x, 'bn1'), p=0.4)
    return norm(mx.sym.FullyConnected(data=x, num_hidden=size, name='pre_fc1'), 'fc1', fixed=True)


def make(prefix, images):
    """Draw every parameter, those that fix_gamma leaves unused too, and save as a training does."""
    symbol, draw = network(), numpy.random.RandomState(0)
    shapes, _, states = symbol.infer_shape(data=images.shape)
    values = dict(zip(symbol.list_arguments(), shapes), **dict(zip(symbol.list_auxiliary_states(), states)))
    values = {name: mx.nd.array(draw.uniform(0.5, 1.5, shape) if name.endswith(('var', 'gamma'))
                                else draw.standard_normal(shape) / max(1, numpy.prod(shape[1:])) ** 0.5)
              for name, shape in values.items() if name != 'data'}
    own = {name: values[name] for name in symbol.list_auxiliary_states()}
    mx.model.save_checkpoint(prefix, 0, symbol, {k: v for k, v in values.items() if k not in own}, own)


def run(prefix, images, out):
    symbol, parameters, states = mx.model.load_checkpoint(prefix, 0)
    module = mx.mod.Module(symbol.get_internals()['fc1_output'], label_names=None, context=mx.cpu())
    module.bind(data_shapes=[('data', images.shape)], for_training=False)
    module.set_params(parameters, states)
    module.forward(mx.io.DataBatch([mx.nd.array(images)]), is_train=False)
    numpy.save(out, module.get_outputs()[0].asnumpy())
    mx.nd.save(prefix + '-again.params', mx.nd.load(prefix + '-0000.params'))
    with open(prefix + '-again.json', 'w') as stream:
        stream.write(symbol.tojson())


if __name__ == '__main__':
    what, prefix, images, out = sys.argv[1:]
    images = numpy.load(images).astype('f4')
    if what == 'make':
        make(prefix, images)
    run(prefix, images, out)
