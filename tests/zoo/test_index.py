"""The index: what is shipped is true and whole, names are found, files lie or are downloaded."""
import hashlib
import json

import pytest
import torch
import yaml

from mlaface.apis import init_model
from mlaface.apis.networks import open_network
from mlaface.cli.main import main
from mlaface.utils.errors import InputError, UnknownNameError, UserError
from mlaface.zoo.index import PACKAGE, index_file, read_index
from mlaface.zoo.locate import entry_file, find_model
from mlaface.zoo.metafile import index_results
from mlaface.zoo.model_file import read_metadata
from mlaface.zoo.publish import publish
from tests.zoo.server import Faults, serve
from tests.zoo.test_model_file import CONFIG

ROOT = index_file().parent


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp('zoo')
    result = dict(schema=1, benchmarks=dict(dev=dict(metrics=dict(accuracy=dict(value=0.75)), rules=dict(flip='sum'))))
    return publish(init_model(None, CONFIG), folder, 'tiny', result=result, license_weights='Apache-2.0', data='noise')


def index(folder, *models):
    path = folder / 'own.yml'
    path.write_text(yaml.safe_dump(dict(Models=list(models))))
    return str(path)


def test_every_config_is_in_the_index_and_every_config_there_is():
    models = read_index()
    named = {entry.config for entry in models.values() if entry.config}
    assert named == {f'configs/{path.name}' for path in ROOT.glob('configs/*.py')
                     if not path.name.startswith('finetune_')}  # of people of your own
    assert all(entry.name == entry.config[8:-3] for entry in models.values() if not entry.has_weights)


def test_the_index_is_whole_in_openmmlabs_form():
    pattern, = yaml.safe_load(index_file().read_text())['Import']
    contents = [yaml.safe_load(path.read_text()) for path in ROOT.glob(pattern)]
    collections = {item['Name']: item for content in contents for item in content.get('Collections', [])}
    assert all((ROOT / item['README']).is_file() for item in collections.values())
    for entry in read_index().values():
        assert entry.collection in collections
        assert all({'Task', 'Dataset', 'Metrics', 'Rules'} <= row.keys() for row in entry.results)
        assert all(0 <= value <= 1 for row in entry.results for value in row['Metrics'].values())


def test_shipped_files_are_what_the_index_says():
    shipped = {entry.metadata['File']: entry for entry in read_index().values() if entry.metadata.get('File')}
    assert set(shipped) == {path.name for path in (PACKAGE / 'zoo' / 'weights').glob('*.safetensors')}
    for entry in shipped.values():
        path = entry_file(entry)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.metadata['SHA256']
        assert path.stat().st_size == entry.metadata['File Size'] < 5e6
        assert entry.results == index_results(read_metadata(path)['results'])
        assert init_model(entry.name).restored.content['name'] == entry.name


def test_an_index_of_ones_own_names_what_was_published(written, monkeypatch, capsys):
    monkeypatch.setenv('MLAFACE_ZOO', str(written['metafile']))
    images = torch.randint(0, 256, (2, 3, 112, 112), dtype=torch.uint8)
    assert torch.equal(init_model('tiny')(images), init_model(written['model'])(images))
    main(['models', '--json'])
    mine, = (model for model in json.loads(capsys.readouterr().out) if model['name'] == 'tiny')
    assert mine['license_weights'] == 'Apache-2.0' and mine['results'][0]['Metrics'] == dict(Accuracy=0.75)
    main(['models'])
    shown = ' '.join(capsys.readouterr().out.split())
    assert 'dev 0.7500' in shown and 'flip sum' in shown and 'may overlap' in shown


def test_weights_are_downloaded_once(written, tmp_path, monkeypatch, capsys):
    data = written['model'].read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    with serve({f'/{written["model"].name}': data}, faults := Faults(dict(cut=1000))) as address:
        model = dict(Name='far', Weights=f'{address}/{written["model"].name}', Metadata=dict(SHA256=sha256))
        monkeypatch.setenv('MLAFACE_ZOO', index(tmp_path, model))
        main(['download', 'far', '--dest', str(tmp_path / 'out')])
        assert open_network('far').describe()['sha256'] == sha256
    assert [asked for _, asked, _ in faults.requests] == [None, 'bytes=1000-']
    assert capsys.readouterr().out.strip() == str(tmp_path / 'out' / written['model'].name)
    assert (tmp_path / 'out' / written['model'].name).read_bytes() == data


def test_a_published_entry_with_an_address_is_downloaded(tmp_path, monkeypatch, capsys):
    model = init_model(None, CONFIG)
    with serve(files := {}, Faults()) as address:
        with pytest.warns(UserWarning, match='is not encrypted: .* give https://'):
            written = publish(model, tmp_path, 'near', address=f'{address}/')
        files[f'/{written["model"].name}'] = written['model'].read_bytes()
        monkeypatch.setenv('MLAFACE_ZOO', str(written['metafile']))
        written['model'].rename(tmp_path / 'gone')
        main(['download', 'near', '--dest', str(tmp_path / 'out')])
    assert (tmp_path / 'out' / written['model'].name).read_bytes() == (tmp_path / 'gone').read_bytes()
    with pytest.raises(InputError, match='is no address to download from: https://HOST/FOLDER'):
        publish(model, tmp_path, 'near', address='/srv/models')


@pytest.mark.parametrize('name, message', [
    ('sfaec', "none of this name in the index; did you mean 'sface'"),
    ('mla_r50_ms1mv3', "no weights yet: train it, mlaface train configs/mla_r50_ms1mv3.py"),
])
def test_a_name_that_is_none_is_told_the_nearest(name, message):
    for opened in (init_model, open_network):
        with pytest.raises(UnknownNameError, match=message):
            opened(name)


@pytest.mark.parametrize('name', ['best.pth', 'folder/none.onnx', 'module:function'])
def test_what_looks_like_no_name_is_left_alone(name):
    assert find_model(name) == name


def test_a_file_of_a_names_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'sface').write_text('mine')
    assert find_model('sface') == 'sface'


@pytest.mark.parametrize('model, message', [
    (dict(Name='x', Weights='https://host/x.bin'), 'names no SHA256 of x'),
    (dict(Name='x', Weights='file:///etc/passwd', Metadata=dict(SHA256='0' * 64)), 'no address to download from'),
    (dict(Name='x', Metadata=dict(File='../../etc/passwd')), 'the file of x is not there: .*own/passwd'),
    (dict(Name='x', Metadata=dict(Source='wheel')), 'knows no wheel'),
    (dict(Nam='x'), 'every model needs a Name'),
])
def test_an_index_that_is_wrong(tmp_path, monkeypatch, model, message):
    folder = tmp_path / 'own'
    folder.mkdir()
    monkeypatch.setenv('MLAFACE_ZOO', index(folder, model))
    with pytest.raises(UserError, match=message):
        find_model('x')


def test_an_index_that_is_none(tmp_path, monkeypatch):
    for text in ('[', '- a', 'Models: 3'):
        (tmp_path / 'x.yml').write_text(text)
        with pytest.raises(InputError, match='x.yml is no'):
            read_index(tmp_path / 'x.yml')
    (tmp_path / 'x.yml').write_text(yaml.safe_dump(dict(Models=[dict(Name='a'), dict(Name='a')])))
    with pytest.raises(InputError, match="'a' is in the index twice"):
        read_index(tmp_path / 'x.yml')


def test_a_model_of_a_wheel_is_asked_of_it(monkeypatch, tmp_path):
    import sys
    import types
    module = types.ModuleType('mlaface.zoo.wheel_files')
    module.sface_file = lambda: tmp_path / 'sface.onnx'
    monkeypatch.setitem(sys.modules, 'mlaface.zoo.wheel_files', module)
    assert find_model('sface') == tmp_path / 'sface.onnx'
    with pytest.raises(InputError, match='is an ONNX file, not a network of mlaface: open it with open_network'):
        init_model('sface')


def test_publish_by_the_command(written, tmp_path, capsys, monkeypatch):
    torch.save(init_model(written['model']).state_dict(), tmp_path / 'best.pth')
    (tmp_path / 'net.py').write_text(f'model = {CONFIG!r}')
    (tmp_path / 'best.thresholds.json').write_text(json.dumps(dict(
        schema=1, flip='sum', inputs=[], thresholds={}, model=None)))
    main(['publish', str(tmp_path / 'best.pth'), str(tmp_path / 'out'), '--config', str(tmp_path / 'net.py'), '--name',
          'again', '--quality-images', str(faces(tmp_path / 'faces')), '--half', '--recipe',
          'configs/mla_r18w025_heads.py'])
    path, = (tmp_path / 'out').glob('again-*.safetensors')
    metadata = read_metadata(path)
    assert str(path) in capsys.readouterr().out and metadata['quality']['images'] == 3
    assert metadata['weights'] == 'float16' and metadata['thresholds']['flip'] == 'sum'
    assert metadata['recipe'] == 'configs/mla_r18w025_heads.py'
    for arguments, message in ([['best.pth'], 'where to'], [['none.pth', 'o'], 'no checkpoint at'],
                               [['best.pth', 'o', '--name', '../x'], 'cannot name a model'],
                               [['best.pth', 'hf://me/x', '--name', 'x'], 'hf://me/x is an address'],
                               [['best.pth', 'o', '--config', 'net.py', '--recipe', 'configs/none.py'],
                                'no recipe at configs/none.py: give the config'],
                               [['best.pth', 'o', '--config', 'net.py', '--quality-images', 'out'], 'no images in']):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit, match=f'error: .*{message}'):
            main(['publish', *arguments])
        assert not (tmp_path / 'o').exists()


def faces(folder):
    import cv2
    import numpy as np
    (folder / 'a').mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(folder / 'a' / f'{number}.png'), np.full((112, 112, 3), 60 * number + 20, np.uint8))
    return folder
