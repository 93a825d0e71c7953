"""tools/test.py end to end: models, data, rules, comparison, warning, report, and errors before work."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlaface.cli.test import main
from mlaface.datasets.formats.bin_set import write_bin

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tests/evaluation'))
GRID = 'toy_networks:grid'


@pytest.fixture(scope='module')
def bins(tmp_path_factory):
    """Two small verification sets of drawn faces."""
    from mlaface.datasets.synthetic.official import draw
    folder = tmp_path_factory.mktemp('bins')
    faces = draw(40, 2)
    for name, shift in (('one', 1), ('two', 7)):
        images, issame = [], []
        for k in range(40):
            images += [faces[k][0], faces[k][1], faces[k][0], faces[(k + shift) % 40][1]]
            issame += [True, False]
        write_bin(folder / f'{name}.bin', images, issame)
    return folder


def run(tmp_path, *arguments):
    out = tmp_path / 'result.json'
    main([*map(str, arguments), '--out', str(out)])
    return json.loads(out.read_text())


def test_images_that_pairs_share_are_embedded_once(bins):
    from mlaface.evaluation.evaluate import evaluate
    from mlaface.evaluation.suite import bin_suite

    class Counting:
        flip, seen = 'none', 0

        def embed(self, images):
            self.seen += len(images)
            return images.reshape(len(images), -1)[:, ::97].astype(np.float32)

        def describe(self):
            return {}

    suite, network = bin_suite([bins / 'one.bin', bins / 'two.bin']), Counting()
    shared = evaluate(network, suite, dict(flip='sum'))
    assert (network.seen, suite.count) == (2 * 80, 320)
    suite.images.same_as = None
    alone = evaluate(network, suite, dict(flip='sum'))
    assert network.seen == 2 * 80 + 2 * 320
    np.testing.assert_array_equal(shared.embeddings, alone.embeddings)
    np.testing.assert_array_equal(shared.flipped, alone.flipped)


def test_result_has_the_schema(bins, tmp_path):
    result = run(tmp_path, GRID, '--sets', bins / 'one.bin', bins / 'two.bin', '--bootstrap', 50)
    assert result['schema'] == 1 and list(result['benchmarks']) == ['one', 'two']
    entry = result['benchmarks']['one']
    assert entry['counts'] == dict(images=160, pairs=80, positives=40)
    assert entry['rules']['flip'] == 'sum' and entry['seconds'] > 0
    accuracy = entry['metrics']['accuracy']
    assert accuracy['low'] <= accuracy['value'] <= accuracy['high'] and accuracy['confidence'] == 0.95
    assert result['mean_accuracy'] == pytest.approx(np.mean([e['metrics']['accuracy']['value']
                                                             for e in result['benchmarks'].values()]))
    assert result['input_check']['pairs'] == 80


def test_folder_and_list_give_the_same_numbers(bins, tmp_path):
    whole = run(tmp_path, GRID, '--data-root', bins, '--batch-size', 9, '--workers', 2)
    one = run(tmp_path, GRID, '--sets', 'two.bin', '--data-root', bins)
    assert whole['benchmarks']['two']['metrics'] == one['benchmarks']['two']['metrics']


def test_sets_of_a_store_give_the_numbers_of_local_ones(bins, tmp_path, capsys, monkeypatch):
    pytest.importorskip('aiohttp')
    from tests.zoo.server import Faults, serve
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    local = run(tmp_path, GRID, '--sets', bins / 'one.bin', bins / 'two.bin')
    with serve({f'/v/{name}.bin': (bins / f'{name}.bin').read_bytes() for name in ('one', 'two')},
               Faults(dict(status=503))) as address:
        stored = run(tmp_path, GRID, '--sets', f'{address}/v/one.bin', 'two.bin', '--data-root', f'{address}/v/')
        mixed = run(tmp_path, GRID, '--sets', f'{address}/v/one.bin', bins / 'two.bin')
        assert f'error: {address}/v/none.bin is not there' in fails(capsys, GRID, '--sets', f'{address}/v/none.bin')
        for more in ((), ('--protocol', 'lfw')):
            assert 'is not looked through: name its .bin files by --sets' in fails(
                capsys, GRID, '--data-root', f'{address}/v', *more)
    for name in ('one', 'two'):
        numbers = [result['benchmarks'][name]['metrics'] for result in (local, stored, mixed)]
        assert numbers[0] == numbers[1] == numbers[2]


def test_saved_embeddings_give_the_same_numbers(bins, tmp_path):
    first = run(tmp_path, GRID, '--sets', bins / 'one.bin', '--save-embeddings', tmp_path / 'one.npz')
    again = run(tmp_path, '--embeddings', tmp_path / 'one.npz')
    assert again['benchmarks']['one']['metrics'] == first['benchmarks']['one']['metrics']
    none = run(tmp_path, '--embeddings', tmp_path / 'one.npz', '--flip', 'none')
    assert none['benchmarks']['one']['rules']['flip'] == 'none'


def test_golden_embeddings_through_the_command(golden_file, tmp_path):
    golden = np.load(golden_file('verification_golden.npz'))
    np.savez(tmp_path / 'g.npz', embeddings=golden['pairs_embeddings'], flipped=golden['pairs_flipped'],
             issame=golden['pairs_issame'])
    metrics = run(tmp_path, '--embeddings', tmp_path / 'g.npz')['benchmarks']['g']['metrics']
    assert metrics['accuracy']['value'] == pytest.approx(float(golden['pairs_public_accuracy']), abs=1e-12)
    assert metrics['auc']['value'] == pytest.approx(float(golden['pairs_auc']), abs=1e-12)


def test_two_models_are_compared_on_the_same_pairs(bins, tmp_path):
    result = run(tmp_path, GRID, '--sets', bins / 'one.bin', '--against', 'toy_networks:coarse')
    found = result['comparisons'][0]['benchmarks']['one']
    mine = result['benchmarks']['one']['metrics']['accuracy']['value']
    assert found['metric'] == 'accuracy' and found['values'][0] == pytest.approx(mine)
    assert found['difference']['value'] == pytest.approx(mine - found['values'][1])
    gap = found['mcnemar']['only_first'] - found['mcnemar']['only_second']
    assert found['difference']['value'] == pytest.approx(gap / 80)


def test_swapped_channels_are_warned_about(tmp_path, capsys):
    """People differ in red only, and the network reads the third channel: swapping must help."""
    images, issame = colored_pairs()
    write_bin(tmp_path / 'c.bin', images, issame)
    result = run(tmp_path, 'toy_networks:third_only', '--sets', tmp_path / 'c.bin')
    assert result['input_check']['better_swapped']
    assert 'Try --color BGR' in capsys.readouterr().err.replace('\n', ' ')
    right = run(tmp_path, 'toy_networks:third_only', '--sets', tmp_path / 'c.bin', '--color', 'BGR')
    assert not right['input_check']['better_swapped']


def test_colors_of_the_other_models_are_checked_too(tmp_path, capsys):
    images, issame = colored_pairs()
    write_bin(tmp_path / 'c.bin', images, issame)
    result = run(tmp_path, 'toy_networks:third_only', '--sets', tmp_path / 'c.bin', '--color', 'BGR', '--against',
                 'toy_networks:third_only', '--report', tmp_path / 'page')
    assert not result['input_check']['better_swapped']
    assert result['comparisons'][0]['input_check']['better_swapped']
    assert 'probably wants BGR' in capsys.readouterr().err.replace('\n', ' ')
    assert (tmp_path / 'page/report.html').read_text().count('class="warning"') == 1


def test_names_with_brackets_are_names_not_markup(bins, tmp_path, capsys):
    path = tmp_path / 'a[bold].bin'
    path.write_bytes((bins / 'one.bin').read_bytes())
    run(tmp_path, GRID, '--sets', path, '--check-input', 'off', '--report', tmp_path / 'page')
    assert 'a[bold]' in ''.join(capsys.readouterr().out.split())


def test_models_of_one_file_name_are_told_apart_by_their_folders():
    from mlaface.evaluation.results.result import model_names
    entries = [dict(file=file, name='best') for file in ('runs/a/best.pth', 'runs/b/best.pth', 'c.onnx')]
    assert model_names(entries) == ['a/best.pth', 'b/best.pth', 'c.onnx']
    assert model_names(entries[:1]) == ['best.pth']
    assert model_names([dict(file=None, name='m:f')] * 2) == ['m:f (1)', 'm:f (2)']


def test_a_config_names_a_function_and_its_images(bins, tmp_path):
    config = tmp_path / 'c.py'
    config.write_text("network = dict(model='toy_networks:grid', color='BGR', mean=0.0, std=(1.0, 2.0, 3.0))\n"
                      "val_dataloader = dict(dataset=dict(type='VerificationSets',\n"
                      f"                                   sets=dict(one={str(bins / 'one.bin')!r})))\n")
    found = run(tmp_path, config)
    expected = run(tmp_path, GRID, '--sets', bins / 'one.bin', '--color', 'BGR', '--mean', 0, '--std', 1, 2, 3)
    assert found['benchmarks']['one']['metrics'] == expected['benchmarks']['one']['metrics']
    assert found['model'] == expected['model'] and found['model']['input']['color'] == 'BGR'
    assert run(tmp_path, config, '--color', 'RGB')['model']['input']['color'] == 'RGB'


def test_the_other_model_too_may_be_named_by_a_config(bins, tmp_path, capsys):
    config = tmp_path / 'c.py'
    config.write_text("network = dict(model='toy_networks:third_only', color='BGR')\n")
    expected = run(tmp_path, 'toy_networks:third_only', '--sets', bins / 'one.bin', '--color', 'BGR')
    compared, = run(tmp_path, GRID, '--sets', bins / 'one.bin', '--against', config)['comparisons']
    assert compared['name'] == 'toy_networks:third_only'
    assert compared['benchmarks']['one']['values'][1] == pytest.approx(expected['mean_accuracy'])
    config.write_text('')
    assert 'c.py names no model' in fails(capsys, GRID, '--sets', bins / 'one.bin', '--against', config)


def test_a_config_with_a_mistyped_network_is_explained(tmp_path, capsys):
    config = tmp_path / 'c.py'
    config.write_text("network = dict(model='toy_networks:grid', colour='BGR')\n")
    assert "network.colour is unknown; did you mean 'color'?" in fails(capsys, config)
    config.write_text("network = dict(color='BGR')\n")
    assert "network needs model=" in fails(capsys, config)


def test_saved_embeddings_keep_names_and_people(tmp_path):
    from mlaface.datasets.synthetic.official import write_lfw
    write_lfw(tmp_path / 'lfw')
    first = run(tmp_path, GRID, '--protocol', 'lfw', '--data-root', tmp_path / 'lfw', '--bootstrap', 30,
                '--save-embeddings', tmp_path / 'lfw.npz')
    again = run(tmp_path, '--embeddings', tmp_path / 'lfw.npz', '--bootstrap', 30)
    assert again['benchmarks']['lfw']['bootstrap']['unit'] == 'people'
    assert again['benchmarks']['lfw']['metrics'] == first['benchmarks']['lfw']['metrics']
    arrays = dict(np.load(tmp_path / 'lfw.npz'))
    arrays['embeddings'][3] = np.nan
    np.savez(tmp_path / 'bad.npz', **arrays)
    with pytest.raises(SystemExit, match=r'image 3 \(Person_001/Person_001_0002.jpg\) is not finite'):
        main(['--embeddings', str(tmp_path / 'bad.npz')])


def test_saved_embeddings_keep_groups(tmp_path, capsys):
    from mlaface.datasets.synthetic.official import write_rfw
    write_rfw(tmp_path / 'rfw')
    first = run(tmp_path, GRID, '--protocol', 'rfw', '--data-root', tmp_path / 'rfw', '--bootstrap', 20,
                '--save-embeddings', tmp_path / 'rfw.npz')['benchmarks']['rfw']
    arrays = dict(np.load(tmp_path / 'rfw.npz'))
    order = np.random.default_rng(0).permutation(4).repeat(40) * 40 + np.tile(np.arange(40), 4)
    rows = (2 * order[:, None] + (0, 1)).ravel()
    np.savez(tmp_path / 'rfw.npz', **{key: values[order if len(values) == 160 else rows]
                                      for key, values in arrays.items()})
    again = run(tmp_path, '--embeddings', tmp_path / 'rfw.npz', '--bootstrap', 20)['benchmarks']['rfw']
    assert again['metrics'] == first['metrics'] and again['groups'] == first['groups']
    np.savez(tmp_path / 'bad.npz', **{**arrays, 'groups': arrays['groups'][1:]})
    assert 'groups must hold one row for each of the 160 pairs; got shape (159,)' in fails(
        capsys, '--embeddings', tmp_path / 'bad.npz')
    np.savez(tmp_path / 'bad.npz', **{**arrays, 'groups': np.full(160, 'Asian')})
    assert '1 groups: a gap needs at least two' in fails(capsys, '--embeddings', tmp_path / 'bad.npz')


def colored_pairs():
    import cv2
    draw = np.random.default_rng(0)
    people = draw.integers(0, 256, (40, 7, 7))
    images, issame = [], []

    def picture(person):
        red = np.clip(person + draw.normal(0, 30, (7, 7)), 0, 255)
        other = draw.integers(0, 256, (2, 7, 7))
        pixels = np.stack([other[0], other[1], red], axis=2).astype(np.uint8)  # BGR, as the encoder takes it
        return cv2.imencode('.png', cv2.resize(pixels, (112, 112), interpolation=cv2.INTER_NEAREST))[1].tobytes()
    for k in range(40):
        images += [picture(people[k]), picture(people[k]), picture(people[k]), picture(people[(k + 1) % 40])]
        issame += [True, False]
    return images, issame


def fails(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(list(map(str, arguments)))
    return str(stopped.value.code) + capsys.readouterr().err


@pytest.mark.parametrize('arguments, message', [
    ((), 'no model'),
    ((GRID,), 'no data to evaluate on'),
    ((GRID, '--sets', 'a.bin', 'b.bin'), 'no verification set at a.bin, b.bin'),
    (('none.onnx', '--sets', '{one}'), 'no model at none.onnx'),
    ((GRID, GRID, '--sets', '{one}'), '--against'),
    ((GRID, '--sets', '{one}', '--quality', 'detector'), 'quality: not an option'),
    ((GRID, '--protocol', 'lfw'), 'needs --data-root'),
    ((GRID, '--sets', '{one}', '--batch-size', '0'), 'must be at least 1, got 0'),
    ((GRID, '--sets', '{one}', '--bootstrap', '-1'), 'must be at least 0, got -1'),
    ((GRID, '--sets', '{one}', '{two}', '--save-embeddings', 'x.npz'), 'one, two are to be evaluated'),
    (('--embeddings', 'none.npz'), 'no embeddings at none.npz'),
    ((GRID, '--embeddings', 'x.npz'), 'without a model'),
    (('--embeddings', 'x.npz', '--protocol', 'lfw'), '--embeddings and --protocol name two things'),
    ((GRID, '--sets', '{one}', '--protocol', 'lfw', '--data-root', '.'), '--protocol and --sets name two things'),
    (('--embeddings', 'x.npz', '--data-root', '.'), '--embeddings and --data-root name two things'),
])
def test_bad_arguments_are_explained(bins, capsys, arguments, message):
    assert message in fails(capsys, *(str(a).format(one=bins / 'one.bin', two=bins / 'two.bin') for a in arguments))


def test_bad_embeddings_files_are_explained(tmp_path, capsys):
    path = tmp_path / 'e.npz'
    np.savez(path, embeddings=np.ones((4, 2), np.float32))
    assert 'lacks issame; it holds embeddings' in fails(capsys, '--embeddings', path)
    np.savez(path, embeddings=np.ones((5, 2), np.float32), issame=[True, False])
    assert 'odd number of images' in fails(capsys, '--embeddings', path)
    np.savez(path, embeddings=np.ones((4, 2), np.float32), issame=np.array([True, False]))
    assert 'needs the embeddings of the mirrored' in fails(capsys, '--embeddings', path, '--flip', 'sum')
    pairs = np.arange(40) % 2 == 0
    np.savez(path, embeddings=np.random.default_rng(0).normal(size=(80, 4)), issame=pairs, subjects=pairs[:9])
    assert 'two people for each of the 40 pairs; got shape (9,)' in fails(capsys, '--embeddings', path,
                                                                          '--bootstrap', 5)
    path.write_bytes(b'no archive')
    assert 'cannot be read' in fails(capsys, '--embeddings', path)


def test_config_and_checkpoint(bins, tmp_path, monkeypatch):
    """The OpenMMLab habit: tools/test.py CONFIG CHECKPOINT, and the checkpoint alone with sets."""
    import torch
    from mmengine.config import Config

    from mlaface.registry import MODELS
    monkeypatch.setenv('MLAFACE_DATA', str(bins))
    model = dict(type='FaceRecognizer', backbone=dict(type='IResNet', depth=18, width=0.125),
                 neck=dict(type='EmbeddingNeck', in_channels=64, in_size=7, embedding_size=16))
    data = dict(dataset=dict(type='VerificationSets', sets=['one']))
    config = Config(dict(default_scope='mlaface', model=model, val_dataloader=data))
    config.dump(tmp_path / 'c.py')
    torch.manual_seed(0)
    built = MODELS.build(model)
    torch.save(dict(schema=1, config=config.pretty_text, model=dict(
        state_dict=built.state_dict(), embedding_size=16,
        input=dict(color='RGB', mean=[127.5] * 3, std=[127.5] * 3, size=[112, 112]))), tmp_path / 'm.pth')
    first = run(tmp_path, tmp_path / 'c.py', tmp_path / 'm.pth')
    second = run(tmp_path, tmp_path / 'm.pth', '--sets', bins / 'one.bin', '--check-input', 'off')
    third = run(tmp_path, tmp_path / 'm.pth', '--check-input', 'off')
    assert first['model']['embedding_size'] == 16 and len(first['model']['sha256']) == 64
    assert first['benchmarks']['one']['metrics'] == second['benchmarks']['one']['metrics']
    assert first['benchmarks']['one']['metrics'] == third['benchmarks']['one']['metrics']


@pytest.mark.slow
def test_two_ranks_give_the_numbers_of_one(bins, tmp_path):
    expected = run(tmp_path, GRID, '--sets', bins / 'one.bin', '--check-input', 'off')
    out = tmp_path / 'two.json'
    subprocess.run([sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
                    ROOT / 'tools/test.py', GRID, '--sets', bins / 'one.bin', '--check-input', 'off', '--launcher',
                    'pytorch', '--out', out], check=True,
                   env={**os.environ, 'PYTHONPATH': str(ROOT / 'tests/evaluation')})
    assert json.loads(out.read_text())['benchmarks']['one']['metrics'] == expected['benchmarks']['one']['metrics']


@pytest.mark.slow
def test_an_image_that_one_rank_cannot_read_ends_all_in_a_line(tmp_path):
    from mlaface.datasets.synthetic.official import write_lfw
    write_lfw(tmp_path)
    (tmp_path / 'images/Person_003/Person_003_0002.jpg').write_bytes(b'no image')
    ended = subprocess.run([sys.executable, '-m', 'mlaface.cli.parts.ranks', '--standalone', '--nproc-per-node', '2',
                            ROOT / 'tools/test.py', GRID, '--protocol', 'lfw', '--data-root', tmp_path, '--launcher',
                            'pytorch'], capture_output=True, text=True,
                           env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT / "tests/evaluation"}'})
    assert ended.returncode == 1 and 'Traceback' not in ended.stderr
    assert 'Person_003_0002.jpg cannot be decoded' in ended.stderr and 'ended with exit status 1' in ended.stderr


def test_a_config_that_comes_with_the_package_is_found_from_any_folder(bins, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MLAFACE_DATA', str(tmp_path / 'nowhere'))
    with pytest.raises(SystemExit, match='nowhere'):
        main(['configs/arcface_r18w025_faces_small.py', GRID])


@pytest.mark.parametrize('option, words', [
    (['--save-embeddings', 'x.txt'], '--save-embeddings x.txt: name a file .npz'),
    (['--report', '{0}/file'], 'argument --report: {0}/file is a file: name a folder'),
    (['--out', '{0}'], 'argument --out: {0} is a folder: name a file'),
    (['--out', '{0}/file/r.json'], 'argument --out: {0}/file/r.json cannot be written (Not a directory): name another'),
    (['--out', '/proc/r.json'], 'argument --out: /proc/r.json cannot be written (')])
def test_places_that_cannot_be_written_are_refused_before_anything_is_computed(tmp_path, capsys, option, words):
    (tmp_path / 'file').write_text('')
    told = fails(capsys, 'nothing.onnx', '--sets', 'none.bin', *(text.format(tmp_path) for text in option))
    assert words.format(tmp_path) in told and list(tmp_path.iterdir()) == [tmp_path / 'file']
