"""Exported files: every format, every backbone with every attention, what is in them, and what is refused."""
import io
import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from mlaface.apis import FaceInferencer, init_model
from mlaface.apis.networks import open_network
from mlaface.cli.main import main
from mlaface.evaluation.results.result import file_sha256
from mlaface.evaluation.suite import Suite
from mlaface.export.export import export_model
from mlaface.export.extractor import Form
from mlaface.registry import EXPORTERS
from mlaface.utils.errors import InputError
from tests.models import tiny

onnx = pytest.importorskip('onnx')
runtime = pytest.importorskip('onnxruntime')
KINDS = [(backbone, attention) for backbone in tiny.backbones() for attention in (None, *tiny.attentions())]
QUICK = [pytest.param(*kind, marks=() if kind[1] == 'HybridAttention' and kind[0] != 'GhostFaceNet' or
                      kind == ('IResNet', 'EfficientMultiScaleAttention') else pytest.mark.slow)
         for kind in KINDS]
FORMATS = {'m.onnx': dict(opset=13), 'm.pt': {}, 'm.pt2': {}, 'm.xml': dict(opset=17)}
OPSETS = 18, 26  # the first of torch's current exporter, and the last that it and ONNX Runtime know


def agree(path, model, flip='none'):
    images = tiny.images(5, seed=9)
    found, expected = open_network(str(path)).embed(images.numpy()), model.extract(images, flip).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def needs(name):
    pytest.importorskip('openvino' if name.endswith('.xml') else 'onnx')


@pytest.mark.parametrize('backbone, attention', QUICK)
def test_every_backbone_with_every_attention_exports(backbone, attention, tmp_path):
    model = tiny.recognizer(backbone, attention, mla=True)
    export_model(model, tmp_path / 'm.onnx', opset=17)
    agree(tmp_path / 'm.onnx', model)
    assert model.training and model.head is not None


@pytest.mark.slow
@pytest.mark.parametrize('name', ['m.onnx', 'm.pt2'])
@pytest.mark.parametrize('backbone, attention', KINDS)
def test_every_backbone_with_every_attention_exports_by_the_current_exporter(backbone, attention, name, tmp_path):
    pytest.importorskip('onnxscript')
    model = tiny.recognizer(backbone, attention, mla=True)
    export_model(model, tmp_path / name)
    agree(tmp_path / name, model)


@pytest.mark.parametrize('opset', [17, pytest.param(18, marks=pytest.mark.slow)])
def test_no_prelu_is_left_to_onnx_runtime_and_slopes_of_any_sign_count(opset, tmp_path):
    if opset >= 18:
        pytest.importorskip('onnxscript')
    model, draw = tiny.recognizer('MobileFaceNet'), torch.Generator().manual_seed(1)
    slopes = [module.weight for module in model.modules() if type(module).__name__.endswith('PReLU')]
    for slope in slopes[1:]:  # the first keeps a number that others shared when the network was made
        slope.data.uniform_(-1, 2, generator=draw)
    export_model(model, tmp_path / 'm.onnx', opset=opset)
    agree(tmp_path / 'm.onnx', model)
    graph = onnx.load(str(tmp_path / 'm.onnx')).graph
    assert slopes and not any(node.op_type == 'PRelu' for node in graph.node)
    read = {name for node in graph.node for name in node.input}
    assert {entry.name for entry in graph.initializer} <= read


def test_a_prelu_whose_slopes_are_computed_stays():
    from mlaface.export.prelu import spread_prelu
    node = onnx.helper.make_node('PRelu', ['x', 'slope'], ['y'])
    values = [onnx.helper.make_tensor_value_info(name, 1, [1, 2]) for name in ('x', 'slope', 'y')]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], 'g', values[:2], values[2:]))
    assert spread_prelu(model) == model


@pytest.mark.slow
@pytest.mark.parametrize('opset', [OPSETS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in OPSETS[1:])])
def test_the_current_exporter_writes_the_newest_operator_sets(opset, tmp_path):
    pytest.importorskip('onnxscript')
    model = tiny.recognizer('MobileFaceNet', backbone_options=dict(attention=dict(type='ECA')))
    export_model(model, tmp_path / 'm.onnx', opset=opset)
    agree(tmp_path / 'm.onnx', model)
    graph = onnx.load(str(tmp_path / 'm.onnx'))
    assert graph.opset_import[0].version == opset
    assert b'site-packages' not in (tmp_path / 'm.onnx').read_bytes(), 'no path of this machine'


@pytest.mark.parametrize('name', [pytest.param(name, marks=[pytest.mark.slow] if name == 'm.pt2' else []) for name in
                                  FORMATS])
def test_every_format_holds_flip_and_metadata(name, tmp_path):
    needs(name)
    model = tiny.recognizer(neck='GDCNeck')
    export_model(model, tmp_path / name, form=Form(flip='sum'), **FORMATS[name])
    agree(tmp_path / name, model, 'sum')
    network = open_network(str(tmp_path / name))
    assert (network.flip, network.size) == ('sum', (32, 32)) and network.describe()['input']['size'] == (32, 32)
    with pytest.raises(ValueError, match='normalises'):
        open_network(str(tmp_path / name), options=dict(mean=(1.0,)))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['m.onnx', 'm.pt', 'm.xml'])
@pytest.mark.parametrize('preprocessor', [dict(mean=[120., 110., 100.], std=[60., 50., 70.], color='BGR')])
@pytest.mark.parametrize('input', ['raw', 'insightface'])
def test_float_input_is_made_as_the_file_says(input, preprocessor, name, tmp_path):
    needs(name)
    model = tiny.recognizer('MobileFaceNet', neck='GDCNeck', preprocessor=preprocessor)
    export_model(model, tmp_path / name, form=Form(input, normalize=True), **FORMATS[name])
    images = tiny.images(3)
    expected = torch.nn.functional.normalize(model.extract(images))
    np.testing.assert_allclose(open_network(str(tmp_path / name)).embed(images.numpy()), expected, rtol=1e-3, atol=1e-5)


def test_insightface_normalises_what_its_kind_of_file_takes(tmp_path):
    """As its ArcFaceONNX reads a file: mean and std by the names of the first nodes, images by OpenCV."""
    import cv2
    model = tiny.recognizer('MobileFaceNet', neck='GDCNeck', preprocessor=dict(std=128.0))
    export_model(model, tmp_path / 'm.onnx', form=Form('insightface'), opset=17)
    first = [node.name for node in onnx.load(str(tmp_path / 'm.onnx')).graph.node[:8]]
    assert not any(name.startswith(('Sub', '_minus')) for name in first)
    images = tiny.images(2)
    pictures = [np.ascontiguousarray(image.transpose(1, 2, 0)[..., ::-1]) for image in images.numpy()]
    blob = cv2.dnn.blobFromImages(pictures, 1 / 127.5, (32, 32), (127.5,) * 3, swapRB=True)
    session = runtime.InferenceSession(str(tmp_path / 'm.onnx'), providers=['CPUExecutionProvider'])
    np.testing.assert_allclose(session.run(None, {'images': blob})[0], model.extract(images), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('name', ['m.onnx', 'm.xml'])
def test_a_file_that_disagrees_leaves_what_was_there(name, tmp_path):
    needs(name)
    (tmp_path / name).write_text('old')
    with pytest.raises(ValueError, match='not written'):
        export_model(tiny.recognizer(), tmp_path / name, tolerance=-1.0, **FORMATS[name])
    assert [p.name for p in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == 'old'


class ByBrightness(torch.nn.Module):
    def forward(self, x):
        return x if x.mean() > 0 else 2 * x


@pytest.mark.parametrize('name, options, word', [
    pytest.param('m.onnx', dict(opset=17), 'differs from the network', marks=pytest.mark.slow),
    ('m.pt', {}, 'differs from the network'),
    pytest.param('m.onnx', dict(opset=18), r'cannot be written as onnx: .*test_export.py:\d+: return x if x.mean',
                 marks=pytest.mark.slow),
    ('m.pt2', {}, r'cannot be written as torch-export: .*test_export.py:\d+: return x if x.mean')])
def test_a_network_that_goes_another_way_for_dark_images_is_refused_in_a_line(name, options, word, tmp_path):
    if options.get('opset') == 18:
        pytest.importorskip('onnxscript')
    model = tiny.recognizer('IResNet').eval()
    model.backbone.prelu = torch.nn.Sequential(ByBrightness(), model.backbone.prelu)
    model.backbone.bn1.reset_running_stats()
    with pytest.raises(InputError, match=word) as told:
        export_model(model, tmp_path / name, **options)
    assert '\n' not in str(told.value) and '\x1b' not in str(told.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize('arguments, message', [
    (dict(path='m.onnx', opset=12), 'operator set 12'), (dict(path='m.out'), 'does not say its format'),
    (dict(path='m.pt', format='onnx'), 'ends in .onnx'), (dict(path='m.onnx', precision='bfloat16'), 'no bfloat16'),
    (dict(path='m.onnx', precision='int8'), 'calibrated on faces'),
    (dict(path='m.pt', precision='float16'), 'by --sets'), (dict(path='m.pt2', format='onxx'), "mean 'onnx'")])
def test_what_does_not_go_together_is_refused(arguments, message, tmp_path):
    with pytest.raises((ValueError, KeyError), match=message):
        export_model(tiny.recognizer(), tmp_path / arguments.pop('path'), **arguments)
    assert not list(tmp_path.iterdir())


class Faces:
    """Twenty people, two images each: a pattern and noise, in which nothing is hard."""

    def __init__(self, count=40):
        draw = np.random.default_rng(0)
        people = draw.integers(0, 256, (count // 2, 1, 3, 32, 32)).repeat(2, 1).reshape(count, 3, 32, 32)
        self.images = (people * 0.9 + draw.integers(0, 20, people.shape)).clip(0, 255).astype(np.uint8)

    def __len__(self):
        return len(self.images)

    def read(self, rows):
        return self.images[np.asarray(rows)]


def suite(faces):
    """Pairs of one person, and of two: every second pair is shifted by one image."""
    order = faces.images.reshape(-1, 4, 3, 32, 32)[:, [0, 1, 2, 0]].reshape(-1, 3, 32, 32)
    faces.images = order
    return Suite(faces, dict(dev=dict(protocol='pairs', start=0, images=40, folds=2, issame=np.arange(20) % 2 == 0)))


@pytest.mark.parametrize('name, precision', [('m.onnx', 'int8'), ('m.onnx', 'float16'), ('m.xml', 'int8'),
                                             *(pytest.param(*each, marks=pytest.mark.slow) for each in
                                               (('m.pt', 'bfloat16'), ('m.xml', 'bfloat16'), ('m.pt2', 'float16')))])
def test_fewer_bits_are_measured_and_noted(name, precision, tmp_path):
    needs(name)
    faces, model = Faces(), tiny.recognizer('MobileFaceNet', neck='GDCNeck')
    told = export_model(model, tmp_path / name, precision=precision, images=faces.images, suite=suite(faces),
                        max_loss=0.2, **FORMATS[name])
    noted = json.loads(told['accuracy'])
    assert noted['limit'] == 0.2 and noted['cosine']['mean'] > 0.9 and set(noted) >= {'float32', precision}
    images = faces.images[:4]
    found, expected = open_network(str(tmp_path / name)).embed(images), model.extract(torch.from_numpy(images)).numpy()
    assert 1e-5 < np.abs(found - expected).max() / np.abs(expected).max() < 0.2
    if name == 'm.onnx':
        graph = onnx.load(str(tmp_path / name))
        assert 'accuracy' in {entry.key for entry in graph.metadata_props}
        assert any(node.op_type == 'QuantizeLinear' for node in graph.graph.node) == (precision == 'int8')


def test_too_large_a_loss_is_refused(tmp_path):
    faces = Faces()
    with pytest.raises(ValueError, match=r'int8 lowers dev.*not written'):
        export_model(tiny.recognizer(), tmp_path / 'm.onnx', precision='int8', images=faces.images, suite=suite(faces),
                     max_loss=-1.0, opset=17)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope='module')
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp('program') / 'm.pt2'
    export_model(tiny.recognizer('MobileFaceNet', neck='GDCNeck', backbone_options=dict(blocks=(1, 1, 1, 1))), path)
    return path


class Code:
    def __reduce__(self):
        return print, ('code of the file runs',)


def changed(program, path, record, change):
    """A copy of an archive with one record changed, its checksums in order."""
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(path, 'w') as new:
        names = old.namelist()
        for name in [*names, *([f'{names[0].partition("/")[0]}/{record}'] if not any(
                n.endswith(record) for n in names) else [])]:
            content = old.read(name) if name in names else b''
            new.writestr(name, change(content) if name.endswith(record) else content)
    return str(path)


@pytest.mark.parametrize('record, change, message', [
    ('data/sample_inputs/model.pt', lambda _: pickled(), 'sample inputs'),
    ('data/constants/opaque_obj_0', lambda _: pickle.dumps(Code()), 'opaque_obj_0'),
    ('data/weights/model_weights_config.json', lambda c: c.replace(b'"use_pickle": false', b'"use_pickle": true', 1),
     'pickled'),
    ('models/model.json', lambda c: c.replace(b'torch.ops.aten.conv2d.default', b'torch.hub.load', 1),
     'torch.hub.load'),
    ('models/model.json', lambda c: c.replace(b'"guards_code": []', b'"guards_code": ["print(1)"]', 1), 'guards'),
    ('models/model.json', lambda c: c.replace(b"Symbol('s", b"print('s", 1), 'print'),
    ('models/model.json', lambda c: c.replace(b'"name": "images"', b'"name": "images=print(1)"', 1), 'images=print')])
def test_a_program_that_brings_code_is_not_opened(record, change, message, program, tmp_path, capsys):
    with pytest.raises(ValueError, match=f'not opened.*{message}'):
        open_network(changed(program, tmp_path / 'a.pt2', record, change))
    assert 'code of the file runs' not in capsys.readouterr().out


def pickled():
    stream = io.BytesIO()
    torch.save((Code(),), stream)
    return stream.getvalue()


def test_weights_of_another_openvino_file_are_refused(tmp_path):
    pytest.importorskip('openvino')
    export_model(tiny.recognizer('MobileFaceNet', neck='GDCNeck'), tmp_path / 'm.xml', opset=17)
    weights = tmp_path / 'm.bin'
    whole = weights.read_bytes()
    for damage in (whole[:-1] + b'\x00', whole[:1000], b'', b'\xff' * len(whole)):
        weights.write_bytes(damage)
        with pytest.raises(ValueError, match='m.bin is damaged'):
            open_network(str(tmp_path / 'm.xml'))


TWO_MODELS = """
import os, signal, sys
from mlaface.evaluation.networks.openvino_file import OpenvinoNetwork
handled = []
signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
first, second = (OpenvinoNetwork(sys.argv[1]) for _ in range(2))
del first
del second
os.kill(os.getpid(), signal.SIGUSR1)
assert handled
"""


def test_a_signal_after_two_openvino_models_is_handled(tmp_path):
    pytest.importorskip('openvino')
    export_model(tiny.recognizer(), tmp_path / 'm.xml', opset=17)
    done = subprocess.run([sys.executable, '-c', TWO_MODELS, tmp_path / 'm.xml'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def checkpoint(tmp_path):
    """A network as a training writes it, with thresholds."""
    config = dict(type='FaceRecognizer', backbone=dict(type='IResNet', width=0.125, in_size=32),
                  neck=dict(type='EmbeddingNeck', in_channels=64, in_size=2, embedding_size=8))
    path, network = tmp_path / 'trained.pth', init_model(None, dict(model=config))
    torch.save(dict(schema=1, config=f'model = {config!r}', model=dict(state_dict=network.state_dict())), path)
    thresholds = dict(schema=1, model=dict(file=path.name, sha256=file_sha256(path)),
                      thresholds={'1e-3': dict(far=1e-3)})
    path.with_suffix('.thresholds.json').write_text(json.dumps(thresholds))
    return network, path


@pytest.mark.parametrize('command', ['export', 'to-onnx'])
def test_commands_write_the_checkpoints_hash_and_thresholds(command, checkpoint, tmp_path, capsys):
    network, path = checkpoint
    main([command, str(path), str(tmp_path / 'm.onnx'), '--flip', 'sum', '--opset', '17'])
    assert 'embeddings of 8' in capsys.readouterr().out
    agree(tmp_path / 'm.onnx', network, 'sum')
    told = {entry.key: entry.value for entry in onnx.load(str(tmp_path / 'm.onnx')).metadata_props}
    assert json.loads(told['model']) == dict(file='trained.pth', sha256=file_sha256(path))
    assert json.loads(told['thresholds'])['thresholds'] == {'1e-3': {'far': 1e-3}}
    assert np.shape(json.loads(told['template'])) == (5, 2)


@pytest.mark.parametrize('name', [
    'm.onnx', 'm.xml', *(pytest.param(name, marks=pytest.mark.slow) for name in ('m.pt', 'm.pt2'))])
def test_the_thresholds_that_a_file_carries_decide(name, checkpoint, tmp_path):
    needs(name)
    _, path = checkpoint
    beside = path.with_suffix('.thresholds.json')
    report = json.loads(beside.read_text())
    report.update(flip='sum', inputs=['drawn'], thresholds={'1e-3': dict(far=1e-3, threshold=dict(value=0.4))})
    beside.write_text(json.dumps(report))
    # who joins the mirror images: this framework, or the file itself, which every format holds alike
    for flip in ('none', 'sum') if name == 'm.onnx' else ('sum',):
        exported = tmp_path / flip / name
        export_model(init_model(str(path)), exported, form=Form(flip=flip), **FORMATS[name])
        inferencer = FaceInferencer(exported, detector=None)
        assert inferencer.threshold() == dict(threshold=0.4, far=1e-3, source='drawn')
        assert inferencer.flip == ('sum' if flip == 'none' else 'none')
    with pytest.raises(InputError, match='joins mirror images by itself'):
        FaceInferencer(exported, detector=None, flip='concat')
    own = dict(report, model=dict(file=name, sha256=file_sha256(exported)))
    own['thresholds'] = {'1e-3': dict(far=1e-3, threshold=dict(value=0.5))}
    exported.with_suffix('.thresholds.json').write_text(json.dumps(own))  # calibrated anew, of this very file
    assert FaceInferencer(exported, detector=None).threshold()['threshold'] == 0.5


def test_a_plugin_is_a_format(tmp_path):
    from mlaface.export.exporters.torchscript import ScriptExporter
    EXPORTERS.register_module('twin', module=type('Twin', (ScriptExporter,), dict(suffixes=('.twin',))), force=True)
    try:
        export_model(tiny.recognizer(), tmp_path / 'm.twin')
        assert open_network(str(tmp_path / 'm.twin')).size == (32, 32)
    finally:
        EXPORTERS.module_dict.pop('twin')
