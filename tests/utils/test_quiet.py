"""Packages of others leave no identifier and tell nobody; who wants them to says so by their own variables."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlaface.utils import quiet

ROOT = Path(__file__).resolve().parents[2]
USE = """
import sys
import mlaface
import onnxruntime
onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])
from mlaface.evaluation.networks.openvino_file import core
core().read_model(sys.argv[1])
"""


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv('ORT_DISABLE_TELEMETRY', 'own')
    monkeypatch.delenv('NO_ALBUMENTATIONS_UPDATE', raising=False)
    monkeypatch.setitem(sys.modules, 'openvino_telemetry', quiet)
    quiet.hush()
    assert os.environ['ORT_DISABLE_TELEMETRY'] == 'own' and os.environ['NO_ALBUMENTATIONS_UPDATE'] == '1'
    assert sys.modules['openvino_telemetry'] is quiet


def test_no_identifier_is_left_in_the_home_folder(tmp_path):
    onnx = pytest.importorskip('onnx')
    pytest.importorskip('openvino')
    value = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in 'xy']
    graph = onnx.helper.make_graph([onnx.helper.make_node('Relu', ['x'], ['y'])], 'g', value[:1], value[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 17)], ir_version=8),
              tmp_path / 'm.onnx')
    home = tmp_path / 'home'
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key not in (*quiet.VARIABLES, 'CI')}
    environment.update(HOME=str(home), XDG_CACHE_HOME=str(home / '.cache'), PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, '-c', USE, str(tmp_path / 'm.onnx')], env=environment, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    left = [str(path.relative_to(home)) for path in home.rglob('*') if path.is_file()]
    assert not [name for name in left if 'Microsoft' in name or 'intel' in name], left
