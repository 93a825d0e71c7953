"""Published models: all that is known travels with the weights, nothing in a file runs, a changed file is refused."""
import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mlaface.apis import init_model
from mlaface.apis.networks import config_of, open_network
from mlaface.evaluation.functional.calibration import calibrate_thresholds
from mlaface.evaluation.results.thresholds import read_thresholds
from mlaface.utils.checksums import DamagedFileError
from mlaface.utils.errors import InputError, UserError
from mlaface.zoo.index import read_index
from mlaface.zoo.locate import find_model
from mlaface.zoo.model_file import SCHEMA, read_metadata, write_model_file
from mlaface.zoo.publish import publish, quality_range

CONFIG = dict(type='FaceRecognizer', backbone=dict(type='MobileFaceNet', width=0.25, attention=dict(type='ECA')),
              neck=dict(type='EmbeddingNeck', in_channels=128, in_size=7, embedding_size=16),
              head=dict(type='MarginHead', num_classes=3, embedding_size=16))
THRESHOLDS = dict(schema=1, flip='sum', inputs=['dev.npz'], model=None, **calibrate_thresholds(
    np.linspace(1, 0, 41), np.arange(41) < 21, [0.5], resamples=10))


class Faces:
    """Drawn at random."""

    def __len__(self):
        return 5

    def read(self, rows):
        return np.random.default_rng(1).integers(0, 256, (len(rows), 3, 112, 112), dtype=np.uint8)


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return init_model(None, CONFIG)


@pytest.fixture(scope='module')
def written(model, tmp_path_factory):
    return publish(model, tmp_path_factory.mktemp('out'), 'tiny', thresholds=THRESHOLDS, license_weights='Apache-2.0',
                   quality=quality_range(model, Faces(), 'drawn'))


def changed(path, folder, **metadata):
    """A file of the same weights that says something else of itself."""
    folder.mkdir(exist_ok=True)
    texts = {key: json.dumps(value) for key, value in {**read_metadata(path), **metadata}.items() if key != 'checksum'}
    save_file(load_file(path), folder / 'other.safetensors', texts)
    return folder / 'other.safetensors'


def embeddings(network):
    with torch.inference_mode():
        return network(torch.from_numpy(Faces().read(range(2))))


def test_the_file_gives_back_the_network_and_what_is_known(model, written):
    again = init_model(written['model'])
    assert torch.equal(embeddings(again), embeddings(model)) and again.head is None and again.input == model.input
    known = again.restored.content
    assert known['template'][0] == [38.2946, 51.6963] and known['license_weights'] == 'Apache-2.0'
    assert known['quality']['images'] == 5 and known['quality']['norm']['1'] <= known['quality']['norm']['99']
    assert not any('head' in name for name in load_file(written['model'])) and 'head' not in known['config']
    assert read_thresholds(written['model'])['thresholds'] == THRESHOLDS['thresholds']
    network = open_network(str(written['model']))
    assert np.allclose(network.embed(Faces().read(range(2))), embeddings(model).numpy(), atol=1e-6)
    entry = network.describe()
    assert entry['name'] == 'tiny' and entry['sha256'][:8] in written['model'].name
    assert config_of(str(written['model'])) is None


def test_one_network_is_one_file(model, written, tmp_path):
    again = publish(model, tmp_path, 'tiny', thresholds=THRESHOLDS, license_weights='Apache-2.0',
                    quality=quality_range(model, Faces(), 'drawn'))
    assert again['model'].name == written['model'].name
    assert again['model'].read_bytes() == written['model'].read_bytes()


def test_half_the_bytes(model, written, tmp_path):
    half = publish(model, tmp_path, 'tiny', half=True)['model']
    assert half.stat().st_size < 0.65 * written['model'].stat().st_size
    same = torch.nn.functional.cosine_similarity(embeddings(init_model(half)), embeddings(model))
    assert same.min() > 0.9999 and next(init_model(half).parameters()).dtype == torch.float32


@pytest.mark.parametrize('place', [0, 8, 100, -1], ids=['length', 'brace', 'header', 'weights'])
def test_a_changed_file_is_refused_by_its_name(written, tmp_path, place):
    data = bytearray(written['model'].read_bytes())
    data[place] ^= 1
    (tmp_path / written['model'].name).write_bytes(data)
    with pytest.raises(InputError, match='is not the file that its name says') as caught:
        init_model(tmp_path / written['model'].name)
    assert '\n' not in str(caught.value)


def test_damage_is_found_whatever_the_file_is_called(written, tmp_path):
    data = bytearray(written['model'].read_bytes())
    data[-1] ^= 1
    (tmp_path / 'renamed.safetensors').write_bytes(data)
    with pytest.raises(DamagedFileError, match='renamed.safetensors is damaged'):
        init_model(tmp_path / 'renamed.safetensors')


@pytest.mark.parametrize('data', [b'', b'PK' * 100, struct.pack('<Q', 1 << 60) + b'{}', b'\x02' + bytes(7) + b'[]'])
def test_a_torn_file_is_refused_in_one_line(tmp_path, data):
    (tmp_path / 'x.safetensors').write_bytes(data)
    with pytest.raises(InputError, match='cannot be read as a safetensors file') as caught:
        open_network(str(tmp_path / 'x.safetensors'))
    assert '\n' not in str(caught.value)


def with_part(**part):
    return {**CONFIG, 'head': None, 'backbone': part}


@pytest.mark.parametrize('config, message', [
    (with_part(type='os.system', command='touch ran'), "names the part 'os.system', which is not registered"),
    (with_part(type='antigravity'), "names the part 'antigravity'"),
    (with_part(type='subprocess.run', args=['touch', 'ran']), 'not registered'),
    (with_part(type=['os.system']), 'not registered'),
    (with_part(type='MobileFaceNet', attention=dict(type='builtins.eval', expression='1')), 'not registered'),
    (with_part(type='MobileFaceNet', _scope_='mmdet'), "switches to the scope 'mmdet'"),
    (with_part(type='Sequential'), 'not registered'),
    (with_part(type='MobileFaceNet', widht=2), 'makes no network'),
    (with_part(type='MobileFaceNet', width='x'), 'makes no network'),
    (with_part(type='MobileFaceNet', width=0.25), 'holds another architecture'),
    (dict(backbone=1), 'no model.type'),
    ({'type': 'FaceRecognizer', 'filename': 'x'}, 'makes no network'),
])
def test_nothing_in_a_file_runs(written, tmp_path, monkeypatch, config, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UserError, ValueError), match=message) as caught:
        init_model(changed(written['model'], tmp_path / 'in', config=config))
    assert '\n' not in str(caught.value) and not (tmp_path / 'ran').exists()


def test_a_checkpoint_runs_nothing_either(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "model = dict(type='FaceRecognizer', backbone=dict(type='os.system', command='touch ran'), neck=dict())"
    torch.save(dict(config=text, model=dict(state_dict={'x': torch.zeros(1)})), 'bad.pth')
    with pytest.raises(UserError, match="names the part 'os.system'"):
        init_model('bad.pth')
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('metadata, message', [
    (dict(schema=SCHEMA + 1), 'has schema 2'), (dict(input=3), 'config or input must be in its metadata'),
    (dict(input=dict(color='BGR', mean=[0.0] * 3, std=[1.0] * 3, size=[112, 112])), 'says that its images are'),
])
def test_metadata_that_cannot_be_true_are_refused(written, tmp_path, metadata, message):
    with pytest.raises(InputError, match=message):
        init_model(changed(written['model'], tmp_path, **metadata))


def test_weights_of_others_need_a_config(model, tmp_path):
    state = {name: value.clone() for name, value in model.state_dict().items()}
    save_file(state, tmp_path / 'w.safetensors')
    assert torch.equal(embeddings(init_model(tmp_path / 'w.safetensors', CONFIG)), embeddings(model))
    with pytest.raises(ValueError, match='holds weights and no config'):
        init_model(tmp_path / 'w.safetensors')
    with pytest.raises(FileNotFoundError, match='without thresholds'):
        read_thresholds(tmp_path / 'w.safetensors')


@pytest.mark.parametrize('name', ['', '../up', 'a b', '.hidden', 'x' * 101, 'a/b'])
def test_names_that_are_no_file_names(tmp_path, name):
    with pytest.raises(InputError, match='cannot name a model'):
        write_model_file(tmp_path, name, {}, {})


def test_what_belongs_to_another_network_is_refused(model, written, tmp_path):
    again = init_model(written['model'])
    with pytest.raises(InputError, match='the thresholds given is of another network|of another network'):
        publish(again, tmp_path, 'x', thresholds=dict(THRESHOLDS, model=dict(file='y.pth', sha256='0' * 64)))
    assert not list(tmp_path.iterdir())


def test_the_card_says_whose_it_is_and_what_it_reaches(model, written, tmp_path):
    entry = dict(metrics=dict(accuracy=dict(value=0.75), auc=dict(value=0.8)), rules=dict(flip='sum', norm='l2'))
    bare = publish(model, tmp_path, 'x', result=dict(schema=1, benchmarks=dict(dev=entry)))
    card, full = bare['card'].read_text(), written['card'].read_text()
    assert '| dev | 0.7500 | flip sum, norm l2 |' in card and 'not stated' in card and 'None: calibrate' in card
    assert '| 5e-1 | 0.2500 |' in full and ' (95%) | 1.0000 |' in full
    assert 'license: apache-2.0' in full
    assert 'Accuracy: 0.75' in bare['metafile'].read_text()


def test_two_models_in_one_folder_have_a_card_each(model, tmp_path):
    cards = [publish(model, tmp_path, name)['card'] for name in ('one', 'two')]
    assert [card.name for card in cards] == ['one.md', 'two.md']
    assert [f'# {name}\n' in card.read_text() for name, card in zip(('one', 'two'), cards)] == [True, True]


def test_what_is_published_again_keeps_what_is_known_of_it(tmp_path):
    shipped = find_model('mla_r18w025_heads')
    known, entry = read_metadata(shipped), read_index()['mla_r18w025_heads']
    again = publish(init_model('mla_r18w025_heads'), tmp_path, 'again', license_data='mine')
    for key in ('license_weights', 'data', 'recipe', 'results', 'thresholds', 'quality', 'weights', 'trained_by',
                'num_classes', 'flip', 'commit', 'seed'):
        assert again['metadata'][key] == known[key], key
    assert again['metadata']['license_data'] == 'mine'
    assert again['model'].stat().st_size == pytest.approx(shipped.stat().st_size, rel=0.01)
    found, = read_index(again['metafile']).values()
    assert (found.collection, found.results, found.config) == (entry.collection, entry.results, entry.config)
    assert found.metadata['Warning'] == entry.metadata['Warning']
    assert entry.metadata['Warning'] in again['card'].read_text()
    changed = init_model('mla_r18w025_heads')
    with torch.no_grad():
        next(changed.parameters()).mul_(1.5)
    other = publish(changed, tmp_path, 'other')['metadata']
    assert other['results'] is None and other['thresholds'] is None and other['license_weights'] == 'Apache-2.0'
