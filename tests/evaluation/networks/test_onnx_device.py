"""Which GPU an ONNX file runs on."""
import pytest
import torch

from mlaface.evaluation.networks import onnx_file


@pytest.mark.parametrize('device, number', [('cuda', 0), ('cuda:3', 3), (torch.device('cuda', 2), 2)])
def test_the_number_of_a_device(device, number):
    assert onnx_file._number_of(device) == number


def test_of_several_processes_each_has_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: True)
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 5)
    assert onnx_file._number_of('cuda') == 5 and onnx_file._number_of('cuda:1') == 1
