"""A checkpoint becomes a model again, alone."""
import pytest
import torch

from mlaface.apis import init_model
from mlaface.utils.configs import config_from_text
from tests.engine.toy import run


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    return run(folder, train_cfg__max_epochs=1), folder / 'best.pth'


def test_a_checkpoint_is_enough(trained):
    runner, path = trained
    images = torch.randint(0, 255, (4, 3, 8, 8), dtype=torch.uint8)
    model = init_model(path, average=False)
    assert not model.training and model.head is None
    assert model.input['color'] == 'RGB' and model.restored.content['seed'] == 11
    torch.testing.assert_close(model(images), runner.bare_model.eval()(images), rtol=0, atol=0)
    assert not torch.equal(init_model(path)(images), model(images))  # the moving average is another network


def test_weights_alone_need_a_config(trained, tmp_path):
    runner, path = trained
    model = init_model(path, average=False)
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match='holds weights and no config'):
        init_model(tmp_path / 'weights.pth')
    images = torch.randint(0, 255, (4, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(init_model(tmp_path / 'weights.pth', runner.cfg.model)(images), model(images))


def test_another_architecture_is_refused(trained):
    with pytest.raises(ValueError, match=r'of other shape: backbone.0.weight \(8, 3, 3, 3\) in the file, \(4, 3'):
        init_model(trained[1], dict(type='ToyRecognizer', hidden=4))


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='no checkpoint at'):
        init_model(tmp_path / 'none.pth')
    torch.save({'epoch': 3, 'net': {'conv.weight': torch.zeros(1)}}, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='not a checkpoint of mlaface'):
        init_model(tmp_path / 'other.pth')


@pytest.mark.parametrize('text', ['import os', 'a = open("x")', 'a = dict(b=__import__("os"))', 'a = dict([1])'])
def test_the_stored_config_is_read_as_data(text):
    with pytest.raises(ValueError, match='plain values'):
        config_from_text(text, 'x.pth')


def test_plain_values_are_read():
    text = "a = dict(b=[1, -2.5, None], c=dict(d='x'), e=(1, 2))\nf = {'g': True}\n"
    assert config_from_text(text, 'x') == dict(a=dict(b=[1, -2.5, None], c=dict(d='x'), e=(1, 2)), f=dict(g=True))
