"""The examples run as their pages say, each without touching the package."""
import json
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mlaface.registry import DATA_SAMPLERS, MODELS

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / 'examples'


@pytest.fixture(autouse=True)
def from_the_checkout(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def config_of(name):
    from mlaface.engine.config import load_config
    return load_config(EXAMPLES / name / 'config.py')


def command(tmp_path, capsys, *arguments):
    """What ``mlaface test`` writes as JSON, and what it prints."""
    from mlaface.cli.test import main
    main([*map(str, arguments), '--out', str(tmp_path / 'result.json')])
    return json.loads((tmp_path / 'result.json').read_text()), capsys.readouterr()


def test_every_example_is_run_here():
    source = Path(__file__).read_text()
    assert all(folder.name in source for folder in EXAMPLES.glob('own_*'))


@pytest.mark.parametrize('name, part', [('own_attention', 'GatedChannels'), ('own_margin', 'LinearMargin')])
def test_a_part_of_the_model_of_ones_own(name, part):
    config = config_of(name)
    config.model.head.num_classes = 5
    model = MODELS.build(config.model)
    assert part in {type(module).__name__ for module in model.modules()}
    loss = model(torch.zeros(2, 3, 112, 112, dtype=torch.uint8), torch.tensor([0, 4]), mode='loss')['loss']
    assert loss.isfinite()


def test_a_margin_of_ones_own_draws_embeddings_to_their_centres():
    config_of('own_margin')
    head = MODELS.build(dict(type='MarginHead', num_classes=4, embedding_size=8, margin=dict(type='LinearMargin')))
    near, far = head.weight.detach(), -head.weight.detach()
    assert head.loss(near, torch.arange(4))['loss'] < head.loss(far, torch.arange(4))['loss']


def test_a_sampler_of_ones_own_prefers_small_identities_and_resumes():
    class Faces:
        labels = np.repeat([0, 1], [900, 100])

        def __len__(self):
            return 1000
    assert config_of('own_sampler').train_dataloader.sampler.type == 'RootSampler'
    sampler, again = (DATA_SAMPLERS.build(dict(type='RootSampler', dataset=Faces(), batch_size=10)) for _ in range(2))
    share = (Faces.labels[np.array(list(sampler)) % 1000] == 1).mean()
    assert 0.2 < share < 0.3  # sqrt(100) of sqrt(900) + sqrt(100)
    again.load_state_dict(dict(epoch=0, position=500, seed=0))
    assert list(again) == list(sampler)[500:]


def test_a_protocol_of_ones_own(tmp_path, capsys, monkeypatch):
    from mlaface.datasets.synthetic.official import write_lfw
    sys.path.insert(0, str(ROOT / 'tests/evaluation'))
    write_lfw(tmp_path / 'faces')
    triplets = [f'Person_{k:03}/Person_{k:03}_0001 Person_{k:03}/Person_{k:03}_0002 Person_{j:03}/Person_{j:03}_0001'
                for k, j in zip(range(12), range(1, 13))]
    (tmp_path / 'faces/images/triplets.txt').write_text('\n'.join(triplets) + '\n')
    given = (EXAMPLES / 'own_protocol/config.py', 'toy_networks:grid', '--protocol', 'triplets', '--data-root',
             tmp_path / 'faces/images')
    result, _ = command(tmp_path, capsys, *given, '--bootstrap', 20, '--report', tmp_path / 'report')
    entry = result['benchmarks']['triplets']
    assert entry['counts'] == dict(triplets=12) and entry['bootstrap']['unit'] == 'triplets'
    strict, _ = command(tmp_path, capsys, *given, '--gap', '0.5')
    assert strict['benchmarks']['triplets']['metrics']['accuracy']['value'] < entry['metrics']['accuracy']['value']
    from mlaface.zoo.locate import find_model
    own, _ = command(tmp_path, capsys, given[0], find_model('mla_r18w025_heads'), *given[2:])
    assert own['benchmarks']['triplets']['counts'] == dict(triplets=12)
    from mlaface.cli.test import main
    main([str(given[0]), '--protocol'])
    assert 'triplets  Triplets: how often an image is nearer' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([str(given[0]), '--help'])
    assert '--gap GAP' in capsys.readouterr().out


def test_a_kind_of_network_of_ones_own(tmp_path, capsys):
    from mlaface.datasets.formats.bin_set import write_bin
    from mlaface.datasets.synthetic.official import draw
    faces = draw(20, 2)
    pairs = [(faces[k][0], faces[(k + shift) % 20][0]) for k in range(20) for shift in (0, 1)]
    write_bin(tmp_path / 'drawn.bin', [image for pair in pairs for image in pair], [True, False] * 20)
    small = np.stack([cv2.imdecode(np.frombuffer(image, np.uint8), 1) for person in faces for image in person])
    small = small.mean(axis=3).reshape(40, 8, 14, 8, 14).mean(axis=(2, 4)).reshape(40, 64)
    components = np.linalg.svd(small - small.mean(axis=0))[2][:16]
    np.savez(tmp_path / 'drawn.eigenfaces.npz', mean=small.mean(axis=0), components=components)
    result, _ = command(tmp_path, capsys, EXAMPLES / 'own_network/config.py', tmp_path / 'drawn.eigenfaces.npz',
                        '--sets', tmp_path / 'drawn.bin')
    assert result['model']['embedding_size'] == 16 and result['model']['input']['color'] == 'grey'
    assert result['mean_accuracy'] > 0.9  # one picture twice, or two people


def test_the_options_of_the_guide():
    """docs/training.md shows a table of --cfg-options: each is taken by a config, as a shell hands it over."""
    from mlaface.engine.config import load_config
    table = (ROOT / 'docs' / 'training.md').read_text().split('(`--cfg-options`) |')[1].split('\n\n')[0]
    cells = [line.split(' | ')[-1].strip('`| ') for line in table.splitlines()[2:]]
    assert len(cells) == 7
    for cell in cells:
        load_config(ROOT / 'configs' / 'arcface_r18w025_faces_small.py', shlex.split(cell))


@pytest.mark.slow
def test_the_measurement_of_finetuning_runs_and_repeats_nothing(tmp_path, monkeypatch, capsys):
    from examples.finetuning import measure
    from mlaface.datasets.formats.bin_set import write_bin
    from mlaface.datasets.formats.insightface_writer import write_training_set
    from mlaface.datasets.formats.jpeg import encode
    faces = [(person, encode(np.random.default_rng([person, number]).integers(0, 255, (112, 112, 3), dtype=np.uint8)))
             for person in range(12) for number in range(14)]
    write_training_set(tmp_path / 'faces_small', faces)
    write_bin(tmp_path / 'faces_small' / 'dev_lfw.bin', [image for _, image in faces[:40]], [True, False] * 10)
    for name, value in dict(DRAWS=2, PEOPLE=3, IMAGES=11, EPOCHS=1, START_EPOCHS=1, SETS=('dev_lfw',)).items():
        monkeypatch.setattr(measure, name, value)
    monkeypatch.setattr(measure, 'WAYS', {way: measure.WAYS[way] for way in ('none', 'head first')})
    monkeypatch.setenv('MLAFACE_DATA', str(tmp_path))
    monkeypatch.setattr(sys, 'argv', ['measure.py', '--out', str(tmp_path / 'out')])
    tables = []
    for _ in range(2):
        measure.main()
        tables.append(capsys.readouterr().out.split('| |')[1])
        monkeypatch.setattr(measure, 'train', None)
    assert tables[0] == tables[1] and '| head first |' in tables[0]


def test_a_detector_of_ones_own(tmp_path, capsys, monkeypatch):
    """Maps with one face, where CenterFace's paper says it stands, in a file of constant outputs."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from mlaface.cli.main import main
    monkeypatch.syspath_prepend(str(ROOT))
    maps = [np.zeros((1, channels, 16, 24), np.float32) for channels in (1, 2, 2, 10)]
    for values, there in zip(maps, (0.9, np.log([8, 6]), [0.25, -0.25], np.linspace(0, 0.9, 10))):
        values[0, :, 7, 10] = there
    names = ['heat', 'sizes', 'offsets', 'marks']
    graph = helper.make_graph(
        [helper.make_node('Identity', [f'{name}_map'], [name]) for name in names], 'maps',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, 64, 96])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape) for name, values in zip(names, maps)],
        [numpy_helper.from_array(values, f'{name}_map') for name, values in zip(names, maps)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), tmp_path / 'c.onnx')
    config = (EXAMPLES / 'own_detector/config.py').read_text()
    (tmp_path / 'config.py').write_text(config.replace('score=', f"file='{tmp_path / 'c.onnx'}', score="))
    cv2.imwrite(str(tmp_path / 'image.png'), np.zeros((64, 96, 3), np.uint8))
    assert main(['detect', str(tmp_path / 'image.png'), '--json', '--detector', str(tmp_path / 'config.py')]) == 0
    face, = json.loads(capsys.readouterr().out)['faces']
    top, left = (7 + 0.25 + 0.5) * 4 - 16, (10 - 0.25 + 0.5) * 4 - 12
    assert face['box'] == [left, top, left + 24, top + 32] and face['score'] == 0.9
    assert face['points'][0] == [pytest.approx(left + 0.1 * 24, abs=0.1), top]


def test_a_study_of_the_attention_of_ones_own_is_a_plan(tmp_path, capsys):
    from mlaface.cli.study import main
    assert main([str(EXAMPLES / 'own_attention' / 'study.py'), '--dry-run', '--work-dir', str(tmp_path)]) == 0
    assert 'gated_channels@seed3' in capsys.readouterr().out
