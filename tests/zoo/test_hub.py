"""Publishing to a hub and fetching from it, through huggingface_hub, over a server of its protocol."""
import pytest
import torch

from mlaface.apis import init_model
from mlaface.apis.networks import open_network
from mlaface.cli.main import main
from mlaface.utils.errors import InputError, UserError
from mlaface.zoo.download import DownloadError
from mlaface.zoo.hub import hub_file, parse_address, upload
from mlaface.zoo.publish import publish
from tests.zoo.hub_server import TOKEN, Hub, serve_hub
from tests.zoo.test_model_file import CONFIG

pytest.importorskip('huggingface_hub')


@pytest.fixture
def hub(tmp_path, monkeypatch):
    from huggingface_hub import constants
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('HF_TOKEN', TOKEN)
    monkeypatch.setattr(constants, 'HF_HUB_DISABLE_XET', True)  # its own protocol, on servers of its own
    with serve_hub(found := Hub()) as address:
        # what HF_ENDPOINT sets when the library is imported
        monkeypatch.setattr(constants, 'ENDPOINT', address)
        monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE',
                            address + '/{repo_id}/resolve/{revision}/{filename}')
        yield found


def published(folder, seed=0, name='tiny'):
    torch.manual_seed(seed)
    return publish(init_model(None, CONFIG), folder, name)


def test_there_and_back(hub, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = init_model(None, CONFIG)
    torch.save(model.state_dict(), tmp_path / 'best.pth')
    (tmp_path / 'net.py').write_text(f'model = {CONFIG!r}')
    main(['publish', str(tmp_path / 'best.pth'), '--config', str(tmp_path / 'net.py'), '--name', 'tiny', '--to',
          'hf://me/faces'])
    first, = (name for name in hub.files('me/faces') if name.endswith('.safetensors'))
    assert sorted(hub.files('me/faces')) == sorted(['README.md', first])
    images = torch.randint(0, 256, (2, 3, 112, 112), dtype=torch.uint8)
    again = init_model('hf://me/faces')
    assert torch.equal(again(images), model.eval()(images))
    assert open_network('hf://me/faces').describe()['file'].endswith(f'hf/me/faces/latest/{first}')
    assert sum('/cdn/' in path for _, path, _ in hub.requests) == 1  # the second time it was in the cache
    monkeypatch.setenv('MLAFACE_OFFLINE', '1')
    before = len(hub.requests)
    assert hub_file('hf://me/faces').name == first and len(hub.requests) == before


def test_a_second_revision_takes_the_place_of_the_first(hub, tmp_path):
    names = []
    for seed in (0, 1):
        written = published(tmp_path / str(seed), seed)
        upload(written, 'hf://me/faces', 'tiny')
        names.append(written['model'].name)
    assert hub_file('hf://me/faces').name == names[1] and names[0] not in hub.files('me/faces')
    assert hub_file(f'hf://me/faces@{1:040x}').name == names[0]


def test_several_models_are_named(hub, tmp_path):
    files = [published(tmp_path, name=name) for name in ('one', 'two')]
    for written, name in zip(files, ('one', 'two')):
        upload(written, 'hf://me/faces', name)
    with pytest.raises(InputError, match='several models.*name one'):
        hub_file('hf://me/faces')
    wanted = files[0]['model'].name
    assert hub_file(f'hf://me/faces/{wanted}').name == wanted


def test_what_is_wrong_is_said(hub, tmp_path, monkeypatch):
    with pytest.raises(DownloadError, match='hf://me/none: .*Repository Not Found.*MLAFACE_OFFLINE') as caught:
        hub_file('hf://me/none')
    assert '\n' not in str(caught.value)
    hub.repos['me/empty'] = [{'README.md': b'x', '../up-12345678.safetensors': b'x', 'a/b-12345678.safetensors': b'x'}]
    with pytest.raises(InputError, match='no model file of mlaface .* among README.md$'):
        hub_file('hf://me/empty')
    written = published(tmp_path)
    upload(written, 'hf://me/faces', 'tiny')
    hub.lie = b'x' * written['model'].stat().st_size
    with pytest.raises(InputError, match='is not the file that is wanted'):
        init_model('hf://me/faces')
    monkeypatch.setenv('HF_TOKEN', 'hf_other')
    with pytest.raises(UserError, match='401'):
        upload(written, 'hf://me/faces', 'tiny')
    monkeypatch.setenv('MLAFACE_OFFLINE', '1')
    with pytest.raises(DownloadError, match='not in the cache'):
        hub_file('hf://me/faces')


@pytest.mark.parametrize('address', ['hf://me', 'hf://me/../x', 'hf://', 'hf://me/x/y/z', 'hf://a b/c', 'hf://me/x@'])
def test_addresses_that_are_none(address):
    with pytest.raises(InputError, match='no address of a hub'):
        parse_address(address)
