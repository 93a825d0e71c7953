"""1:N by torch on a device and through FAISS: the numbers of the search in numpy, to the last bit."""
import sys
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.evaluation.functional.arrays import HOST
from mlaface.evaluation.functional.distractors import find_among
from mlaface.evaluation.functional.identification import find
from mlaface.evaluation.functional.rows import FusedRows, cosines, unit_rows
from mlaface.evaluation.functional.search import scan_gallery
from mlaface.evaluation.search import choice, faiss_scan
from mlaface.evaluation.search.choice import choose_search
from mlaface.evaluation.search.device import arrays_on
from mlaface.evaluation.search.device_arrays import DeviceArrays
from mlaface.evaluation.search.faiss_scan import scan_by_faiss
from mlaface.utils.errors import MissingPackageError

CUDA = pytest.param('cuda', marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU'))
SEARCHES = [partial(scan_gallery, arrays=DeviceArrays('cpu')), scan_by_faiss, partial(scan_by_faiss, depth=1)]


def faces(seed, probes=60, gallery=300, dimension=16, subjects=40, noise=1.0):
    """Probes and a gallery of some subjects, with distractors, copies (ties) and probes of nobody."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(subjects + 5, dimension))
    probe_subjects, gallery_subjects = rng.integers(0, subjects + 5, probes), rng.integers(-1, subjects, gallery)
    rows = [centres[names] + noise * rng.normal(size=(len(names), dimension))
            for names in (probe_subjects, gallery_subjects)]
    rows[1][:20] = rows[1][20:40]
    rows[0][:5] = rows[1][:5]
    return rows[0].astype(np.float32), probe_subjects, rows[1].astype(np.float32), gallery_subjects


def assert_same(one, two):
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize('scan', SEARCHES)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.sampled_from([0.2, 1.0, 5.0]), block=st.sampled_from([None, 7, 64]))
def test_any_search_gives_the_bits_of_the_one_in_numpy(scan, seed, noise, block):
    data = faces(seed, noise=noise)
    assert_same(find(*data, block=block, scan=scan), find(*data))


@pytest.mark.parametrize('scan', SEARCHES)
def test_any_search_counts_distractors_above_each_mate(scan):
    probes, subjects, gallery, _ = faces(1)
    assert_same(find_among(probes, subjects, gallery, scan=scan), find_among(probes, subjects, gallery))


@pytest.mark.parametrize('scan', SEARCHES)
def test_scores_closer_than_float32_can_tell_are_ranked_exactly(scan):
    angles = 0.5 + 1e-9 * np.arange(60)
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = find(np.repeat([[1.0, 0.0]], 60, 0), np.arange(60), gallery, np.arange(60), scan=scan)
    np.testing.assert_array_equal(found.ranks, np.arange(1, 61))
    assert len(np.unique(found.best_other)) == 2


def test_faiss_leaves_few_probes_to_the_whole_gallery(monkeypatch):
    left = []

    def counted(probes, *rest, **more):
        left.append(len(probes))
        return scan_gallery(probes, *rest, **more)
    monkeypatch.setattr(faiss_scan, 'scan_gallery', counted)
    data = faces(3, probes=200, gallery=3000, dimension=64, subjects=400, noise=0.3)
    assert_same(find(*data, scan=scan_by_faiss), find(*data))
    assert sum(left) < 20


@pytest.mark.parametrize('scan', SEARCHES)
def test_a_gallery_may_be_fused_on_demand_or_mapped(scan, tmp_path):
    probes, subjects, gallery, gallery_subjects = faces(5)
    fused = FusedRows(gallery, gallery[:, ::-1], 'sum')
    assert_same(find(probes, subjects, fused, gallery_subjects, scan=scan),
                find(probes, subjects, fused[:], gallery_subjects))
    np.save(tmp_path / 'gallery.npy', gallery)
    mapped = np.load(tmp_path / 'gallery.npy', mmap_mode='r')
    assert_same(find(probes, subjects, mapped, gallery_subjects, scan=scan),
                find(probes, subjects, gallery, gallery_subjects))


@pytest.mark.parametrize('scan', SEARCHES)
def test_any_search_names_a_bad_entry(scan):
    probes, subjects, gallery, gallery_subjects = faces(6)
    gallery[250, 3] = np.nan
    with pytest.raises(ValueError, match='gallery entry of image 250 is not finite'):
        find(probes, subjects, gallery, np.where(gallery_subjects == gallery_subjects[250], -1, gallery_subjects),
             block=100, scan=scan)


def test_a_bad_mate_is_named_by_its_place_in_the_gallery():
    probes, subjects, gallery, gallery_subjects = faces(6)
    mate = np.flatnonzero(np.isin(gallery_subjects, subjects))[-1]
    gallery[mate] = 0
    with pytest.raises(ValueError, match=rf'gallery entry of image {mate} \(g{mate}\) is zero'):
        find(probes, subjects, gallery, gallery_subjects, gallery_names=[f'g{row}' for row in range(300)])


@pytest.mark.parametrize('scan', SEARCHES)
def test_a_gallery_smaller_than_what_is_fetched(scan):
    rows = np.eye(3)
    found = find(rows[:2], [0, 9], rows, [0, 1, 2], scan=scan)
    assert_same(found, find(rows[:2], [0, 9], rows, [0, 1, 2]))
    alone = find(rows[:1], [0], rows[:1], [0], scan=scan)
    assert alone.best_other[0] == -np.inf and alone.ranks[0] == 1


@pytest.mark.parametrize('device', ['cpu', CUDA])
def test_cosines_have_the_same_bits_on_any_device(device):
    rng = np.random.default_rng(0)
    for dimension in (1, 7, 512, 1000):
        table, arrays = unit_rows(rng.normal(size=(300, dimension))), DeviceArrays(device)
        first, second = rng.integers(0, 300, (2, 5000))
        on_device = cosines(arrays.load(table), first, arrays.load(table), second, arrays)
        np.testing.assert_array_equal(on_device, cosines(table, first, table, second))
        np.testing.assert_allclose(on_device, (table[first] * table[second]).sum(1), atol=1e-15)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_search_on_a_gpu_gives_the_bits_of_the_host_even_where_tf32_is_on():
    chosen = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('medium')
    try:
        data = faces(7, probes=2000, gallery=20_000, dimension=512, subjects=900)
        assert_same(find(*data, scan=partial(scan_gallery, arrays=DeviceArrays('cuda'))), find(*data))
        assert torch.get_float32_matmul_precision() == 'medium'
    finally:
        torch.set_float32_matmul_precision(chosen)


def test_products_are_never_of_lower_precision_and_the_choice_is_given_back(monkeypatch):
    chosen, seen = torch.get_float32_matmul_precision(), []

    class Watched(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function.__name__ in ('matmul', '__matmul__'):
                seen.append(torch.get_float32_matmul_precision())
            return super().__torch_function__(function, types, args, kwargs or {})
    torch.set_float32_matmul_precision('high')
    try:
        DeviceArrays('cpu').multiply(torch.eye(2).as_subclass(Watched), torch.eye(2))
        assert seen == ['highest'] and torch.get_float32_matmul_precision() == 'high'
    finally:
        torch.set_float32_matmul_precision(chosen)


def test_the_search_is_chosen_by_size_and_device(monkeypatch):
    small, large = choice.ONE_PRODUCT, choice.ONE_PRODUCT + 1
    assert choose_search('auto', 'cpu', small).keywords == dict(arrays=HOST)
    assert choose_search('auto', 'cpu', large) is scan_by_faiss
    assert choose_search('auto', 'cpu', large, deep=True).keywords == dict(arrays=HOST)
    assert choose_search('blocks', 'cpu', large).keywords == dict(arrays=HOST)
    assert choose_search('faiss', 'cuda', small) is scan_by_faiss
    on_gpu = choose_search('auto', 'cuda:1', large).keywords['arrays']
    assert on_gpu.device == torch.device('cuda:1') and arrays_on('cpu') is HOST
    monkeypatch.setitem(sys.modules, 'faiss', None)
    assert choose_search('auto', 'cpu', large).keywords == dict(arrays=HOST)
    with pytest.raises(MissingPackageError, match=r'pip install .mlaface\[search\]'):
        choose_search('faiss', 'cpu', small)
    with pytest.raises(ValueError, match="search must be one of .*; got 'ann'"):
        choose_search('ann', 'cpu', small)
