"""Compiled kernels: when they are used, for how many threads, and what becomes of files that numba keeps."""
import os
import threading
import time
import warnings

import numpy as np
import pytest
import torch

from mlaface.models import kernels as room
from mlaface.models.attention.hybrid import HybridAttention
from mlaface.models.kernels import _numba, kernels
from mlaface.utils import packages


@pytest.fixture
def anew():
    room._module.cache_clear()
    yield
    room._module.cache_clear()


def test_they_are_for_float32_and_bfloat16_on_cpu():
    for fitting in (torch.ones(1), torch.ones(1).bfloat16()):
        assert kernels('gated_map', fitting).__name__ == 'mlaface.models.kernels.gated_map'
    for other in (torch.ones(1).double(), torch.ones(1).half(), torch.ones(1, device='meta')):
        assert kernels('gated_map', torch.ones(1), other) is None


def test_without_numba_there_are_none(anew, monkeypatch):
    monkeypatch.setattr(room, 'is_installed', lambda package: package != 'numba')
    assert kernels('gated_map') is None


def test_a_numba_that_does_not_fit_is_said_once(anew, monkeypatch):
    def unfitting(name):
        raise ImportError('Numba needs NumPy 2.2 or less. Got NumPy 2.4.')
    monkeypatch.setattr(packages, 'import_module', unfitting)
    with pytest.warns(UserWarning, match=r'cannot be imported \(Numba needs NumPy 2.2 or less.*mlaface\[numba'):
        assert kernels('gated_map') is None
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert kernels('gated_map') is None


def test_numba_switched_off(anew, monkeypatch):
    from numba import config
    monkeypatch.setattr(config, 'DISABLE_JIT', 1)
    assert kernels('gated_map') is None


@pytest.fixture(params=['threads of torch', 'others'])
def threads_of(request, monkeypatch):
    if request.param == 'others':
        monkeypatch.setattr(_numba, '_openmp', lambda: None)
    elif _numba._openmp() is None:
        pytest.skip('this torch comes without libgomp')


def test_the_numbers_do_not_depend_on_the_count_of_threads(monkeypatch, threads_of):
    torch.manual_seed(0)
    x = torch.randn(5, 16, 7, 7).contiguous(memory_format=torch.channels_last)
    channel, place = torch.rand(5, 16, 1, 1), torch.rand(5, 1, 7, 7)
    module, found = kernels('gated_map', x), []
    for threads in (1, 2, 3, 8):
        monkeypatch.setattr(torch, 'get_num_threads', lambda threads=threads: threads)
        found.append([module.product(x, channel, place), *module.pool(x, channel), *module.pool_channels(x),
                      *module.of_gates(x, 2 * x, channel, place)])
    for other in found[1:]:
        for a, b in zip(other, found[0]):
            assert torch.equal(a, b)


def test_a_batch_is_shared_and_a_fault_of_any_thread_is_raised(monkeypatch, threads_of):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    together, seen = threading.Barrier(2, timeout=60), set()

    def meet(array):
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            together.wait()
    _numba.over_images(meet, torch.ones(8))
    assert len(seen) == 2

    def fail(array):
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError('no room')
        time.sleep(0.01)
    with pytest.raises(MemoryError, match='no room'):
        _numba.over_images(fail, torch.ones(64))


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork')
def test_a_forked_process_has_a_crew_of_its_own(monkeypatch):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    x = torch.randn(4, 8, 3, 3).contiguous(memory_format=torch.channels_last)
    product = kernels('gated_map', x).product
    expected = product(x, None, None)
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(product(x, None, None), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0


def _three(array):
    array[:] = 3


def test_a_kernel_whose_code_can_be_kept_nowhere_is_compiled_all_the_same(monkeypatch):
    from numba.core.caching import FunctionCache
    monkeypatch.setattr(FunctionCache._impl_class, '_locator_classes', [])
    array = np.zeros(2, np.float32)
    _numba.compiled(_three)(array)
    assert (array == 3).all()


@pytest.mark.parametrize('ending', ['nbi', 'nbc'])
def test_kept_code_that_is_cut_is_made_anew(ending, tmp_path, monkeypatch):
    from numba import config
    monkeypatch.setattr(config, 'CACHE_DIR', str(tmp_path))

    def run():
        array = np.zeros(2, np.float32)
        _numba.compiled(_three)(array)
        return array.tolist()
    assert run() == [3, 3]
    (kept,) = tmp_path.rglob(f'*.{ending}')
    os.truncate(kept, kept.stat().st_size // 2)
    assert run() == [3, 3]


def test_the_attention_of_a_model_is_trained_by_them():
    x = torch.randn(2, 16, 7, 7).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert HybridAttention(16)(x).grad_fn.passes is kernels('gated_map', x)
