"""A checkpoint of a plugin of one's own, in every command that opens a model: not imported on its word, but by name."""
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mlaface.apis import init_model
from mlaface.cli.main import main
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.registry import ATTENTION, MODELS
from mlaface.utils.errors import InputError
from mlaface.utils.imports import PluginImportError, import_modules

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = 'examples.own_attention.gated_channels'
NETWORK = dict(type='FaceRecognizer', backbone=dict(type='IResNet', width=0.125, attention_stages=(4,),
                                                    attention=dict(type='GatedChannels')),
               neck=dict(type='EmbeddingNeck', in_channels=64, embedding_size=8))


def forget():
    sys.modules.pop(PLUGIN, None)
    ATTENTION.module_dict.pop('GatedChannels', None)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A checkpoint as a run of the example leaves it, in a process that does not know the plugin."""
    monkeypatch.syspath_prepend(str(ROOT))
    forget()
    import_modules([PLUGIN])
    network = MODELS.build(NETWORK)
    state = network.state_dict()
    config = f"custom_imports = dict(imports=['{PLUGIN}'], allow_failed_imports=False)\nmodel = {NETWORK!r}"
    torch.save(dict(schema=1, config=config, model=dict(state_dict=state, input=network.input_spec)),
               tmp_path / 'best.pth')
    torch.save(state, tmp_path / 'bare.pth')
    (tmp_path / 'config.py').write_text(config)
    (tmp_path / 'data.py').write_text(
        f"train_dataloader = dict(dataset=dict(type='FolderFaces', data_root='{tmp_path}/people'))\n")
    faces = np.random.default_rng(0).integers(0, 255, (40, 112, 112, 3), dtype=np.uint8)
    write_bin(tmp_path / 'pairs.bin', [cv2.imencode('.png', face)[1].tobytes() for face in faces], [True, False] * 10)
    cv2.imwrite(str(tmp_path / 'face.png'), faces[0])
    (tmp_path / 'people/a').mkdir(parents=True)
    (tmp_path / 'people/a/face.png').write_bytes((tmp_path / 'face.png').read_bytes())
    forget()
    yield tmp_path
    forget()


COMMANDS = {'test': '{model} --sets {0}/pairs.bin --check-input off', 'to-onnx': '{model} {0}/out.onnx',
            'embed': '{0}/face.png --aligned --model {model}',
            'compare': '{0}/face.png {0}/face.png --aligned --threshold 0.5 --model {model}',
            'cluster': '{0}/people --aligned --threshold 0.5 --model {model}',
            'publish': '{model} {0}/published --name own',
            'centers': 'embed {0}/data.py {model} --out {0}/e.pth'}


def quick(commands):
    """All; export, which is dear, with --all only."""
    return [pytest.param(name, marks=pytest.mark.slow) if name == 'to-onnx' else name for name in commands]


def run(command, folder, model, *more):
    """A command's exit status, and what it says in the end."""
    try:
        return main([command, *COMMANDS[command].format(folder, model=model).split(), *more]) or 0
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize('command', quick(COMMANDS))
def test_a_model_of_ones_own_plugin(command, trained, capsys):
    refused = run(command, trained, trained / 'best.pth')
    told = str(refused) + capsys.readouterr().err
    assert "best.pth names the part 'GatedChannels', which is not registered" in told and f'--import {PLUGIN}' in told
    assert 'not imported on the word of a file' in told and told.count('error:') == 1 and PLUGIN not in sys.modules
    assert run(command, trained, trained / 'best.pth', '--import', PLUGIN) == 0, capsys.readouterr().err


@pytest.mark.parametrize('command', quick(sorted(set(COMMANDS) - {'test'})))
def test_weights_without_a_config_with_the_config_of_their_network(command, trained, capsys):
    assert run(command, trained, trained / 'bare.pth', '--config', str(trained / 'config.py')) == 0, capsys.readouterr()


def test_the_api_imports_what_it_is_told(trained):
    with pytest.raises(InputError, match=r'init_model\(\.\.\., imports='):
        init_model(trained / 'best.pth')
    assert init_model(trained / 'best.pth', imports=[PLUGIN]).embedding_size == 8


def test_a_name_that_no_module_brings(trained):
    text = torch.load(trained / 'best.pth', weights_only=True)
    text['config'] = text['config'].replace('GatedChannels', 'GatedChanels')
    torch.save(text, trained / 'other.pth')
    with pytest.raises(InputError, match="nearest is 'GatedChannels'.*the module that registers it: --import MODULE"):
        init_model(trained / 'other.pth', imports=[PLUGIN])


@pytest.mark.parametrize('kind', ['MyFaces', 'os.system'])
def test_data_that_a_checkpoint_names_are_registered_ones(kind, trained):
    content = torch.load(trained / 'best.pth', weights_only=True)
    content['config'] += f"\nval_dataloader = dict(dataset=dict(type='{kind}', command='true'))"
    torch.save(content, trained / 'best.pth')
    with pytest.raises(SystemExit, match=f"names the part '{kind}', which is not registered.*--import {PLUGIN}"):
        main(['test', str(trained / 'best.pth')])


@pytest.mark.parametrize('name, message', [
    ('examples.own_attention.gated_chanels', "did you mean 'examples.own_attention.gated_channels'.*PYTHONPATH"),
    ('exampels.own_attention', "No module named 'exampels'; did you mean 'examples'"),
    ('examples/own_attention/gated_channels.py', 'import statement, such as examples.own_attention.gated_channels'),
    ('', 'such as my_plugin'), ('broken_plugin', r'ZeroDivisionError: division by zero \(.*broken_plugin.py, line 2\)'),
    ('needy_plugin', "No module named 'nowhere_at_all'. Modules are looked for")])
def test_a_module_that_cannot_be_imported_is_told_in_a_line(name, message, tmp_path, monkeypatch):
    (tmp_path / 'broken_plugin.py').write_text('import math\n1 / 0\n')
    (tmp_path / 'needy_plugin.py').write_text('import nowhere_at_all\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(ROOT)
    with pytest.raises(PluginImportError, match=message) as error:
        import_modules([name])
    assert len(str(error.value).splitlines()) == 1


def test_a_config_whose_plugin_is_not_found_is_told_in_a_line(tmp_path):
    (tmp_path / 'c.py').write_text("custom_imports = dict(imports=['nowhere_at_all'])")
    with pytest.raises(SystemExit, match="error: .*c.py: cannot import: No module named 'nowhere_at_all'.*PYTHONPATH"):
        main(['test', str(tmp_path / 'c.py'), 'x.pth'])
