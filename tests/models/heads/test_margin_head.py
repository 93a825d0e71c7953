"""The head on one process: errors, sampling, precision, start values, chunks that never hold the matrix."""
import copy
import warnings

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mlaface.models.heads.margin_head import MarginHead
from mlaface.models.heads.rows import RowSampler, fill_rows, next_prime
from mlaface.models.heads.subcenters import find_outliers
from mlaface.registry import MARGINS
from mlaface.utils.sharding import row_shard

SIZE = 8


def batch(classes, count=6):
    generator = torch.Generator().manual_seed(1)
    embeddings = torch.randn(count, SIZE, generator=generator, dtype=torch.float64)
    return embeddings.requires_grad_(), torch.randint(classes, (count,), generator=generator)


@pytest.mark.parametrize('label', [-1, 10])
def test_a_label_out_of_range_is_named(label):
    with pytest.raises(ValueError, match=rf'label {label} .* 10 classes'):
        MarginHead(10, SIZE).loss(torch.ones(2, SIZE), torch.tensor([0, label]))


def test_broken_embeddings_are_named():
    embeddings = torch.ones(4, SIZE)
    embeddings[2, 3] = torch.nan
    with pytest.raises(ValueError, match=r'rows \[2\]'):
        MarginHead(10, SIZE).loss(embeddings, torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize('options', [
    dict(num_classes=0), dict(num_classes=None), dict(sample_rate=0.0), dict(sample_rate=1.5), dict(chunk_size=0),
    dict(chunk_size=8.5), dict(reduction='max'), dict(compute_dtype='int8'), dict(embedding_size=0),
    dict(filter_threshold=1.5), dict(filter_threshold=0.4, margin=dict(type='Softmax'))])
def test_senseless_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        MarginHead(**{'num_classes': 10, **options})


@pytest.mark.parametrize('embeddings,labels', [
    (torch.ones(2, 3), torch.zeros(2, dtype=torch.int64)), (torch.ones(2, SIZE), torch.zeros(3, dtype=torch.int64)),
    (torch.ones(2, SIZE), torch.zeros(2)), (torch.ones(0, SIZE), torch.zeros(0, dtype=torch.int64))])
def test_batches_of_another_shape_are_refused(embeddings, labels):
    with pytest.raises(ValueError):
        MarginHead(10, SIZE).loss(embeddings, labels)


def test_start_values_are_a_function_of_the_global_row():
    whole, part = torch.empty(9000, 4), torch.empty(1000, 4)
    fill_rows(whole, 0, seed=3)
    fill_rows(part, 4000, seed=3)
    assert torch.equal(part, whole[4000:5000])
    assert whole.std().item() == pytest.approx(0.01, rel=0.05)
    fill_rows(part, 4000, seed=4)
    assert not torch.equal(part, whole[4000:5000])


def test_every_pair_of_classes_is_drawn_alike():
    classes, size, draws = 12, 5, 6000
    sampler = RowSampler(classes, size, seed=1, rank=0)
    pairs = torch.zeros(classes, classes)
    for step in range(draws):
        drawn = sampler.sample(torch.tensor([-1, classes]), step)  # no class of the batch is here
        assert len(drawn.unique()) == size and drawn.min() >= 0 and drawn.max() < classes
        pairs[drawn[:, None], drawn] += 1
    single, double = draws * size / classes, draws * size * (size - 1) / classes / (classes - 1)
    off = ~torch.eye(classes, dtype=torch.bool)
    assert (pairs.diagonal() / single - 1).abs().max() < 0.08
    assert (pairs[off] / double - 1).abs().max() < 0.15


@pytest.mark.parametrize('classes', [1, 2, 3, 10, 997, 1000])
@pytest.mark.parametrize('count', [1, 4, 40])
def test_samples_hold_the_batch_and_have_their_size(classes, count):
    for size in {1, max(1, classes // 3), classes}:
        sampler = RowSampler(classes, size, seed=0, rank=2)
        for step in range(20):
            labels = torch.randint(-2, classes + 2, (count,), generator=torch.Generator().manual_seed(step))
            here = labels[(labels >= 0) & (labels < classes)].unique()
            rows = sampler.sample(labels, step)
            assert len(rows) == max(size, len(here)) and torch.isin(here, rows).all()
            assert rows[0] >= 0 and rows[-1] < classes and (rows.diff() > 0).all()
    assert next_prime(classes) >= classes


class AsksTheDevice(TorchDispatchMode):
    """Fails at operations that wait for a GPU: a value read, or a shape that depends on values."""
    WAITING = ('_local_scalar_dense', 'nonzero', 'unique', '_unique2', 'unique_dim', 'masked_select', 'equal', 'isin')

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name().split('::')[1].split('.')[0]
        indices = args[1] if name.startswith('index') and isinstance(args[1], (list, tuple)) else ()
        by_mask = any(torch.is_tensor(index) and index.dtype == torch.bool for index in indices)
        assert name not in self.WAITING and not by_mask, f'{function} waits for the device'
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize('name', MARGINS.names())
@pytest.mark.parametrize('options', [dict(), dict(chunk_size=7), dict(chunk_size=7, sample_rate=0.5)], ids=str)
def test_a_step_waits_for_no_device(name, options):
    head = MarginHead(20, SIZE, dict(type=name), **options)
    head._check = lambda embeddings, labels: torch.zeros(len(labels), dtype=torch.bool)  # it asks on a processor only
    embeddings, labels = batch(20)
    embeddings = embeddings.detach().float().requires_grad_()
    with AsksTheDevice():
        head.loss(embeddings, labels)['loss'].backward()
        if head.sampler is not None:
            assert head.weight.grad.is_coalesced()


@pytest.mark.parametrize('name', MARGINS.names())
def test_sampled_loss_is_the_loss_over_the_sampled_classes(name):
    head = MarginHead(20, SIZE, dict(type=name), sample_rate=0.4).double().eval()
    rows = []
    head.row_hook = rows.append
    embeddings, labels = batch(20)
    loss = head.loss(embeddings, labels)['loss']
    loss.backward()
    kept = rows[0].view(-1, head.margin.centers_per_class)[:, 0] // head.margin.centers_per_class
    assert head.weight.grad.is_sparse and torch.isin(labels, kept).all() and len(kept) == 8
    if head.margin.objective == 'binary' or head.margin.class_parameters:
        return  # their weights depend on all classes
    everything = head.logits(embeddings, labels)[:, kept]
    expected = torch.nn.functional.cross_entropy(everything, torch.searchsorted(kept, labels))
    penalty = head.loss(embeddings, labels)['loss'] - loss
    assert penalty == 0, 'the same step draws the same classes'
    if name not in ('MagFace', 'UniTSFace', 'NPCFace'):
        torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize('name', ['ArcFace', 'SubCenterArcFace'])
def test_accumulated_samples_add_up(name):
    head = MarginHead(20, SIZE, dict(type=name), sample_rate=0.4).double()
    total = torch.zeros_like(head.weight)
    for _ in range(3):
        head.loss(*batch(20))['loss'].backward()
    head.step = 0
    for _ in range(3):
        kept, head.weight.grad = head.weight.grad, None
        head.loss(*batch(20))['loss'].backward()
        total += head.weight.grad.to_dense()
        head.weight.grad = kept
    assert not kept.is_coalesced(), 'rows of several samples repeat'
    torch.testing.assert_close(kept.coalesce().to_dense(), total)


def test_more_positives_than_the_sample_are_stated():
    head = MarginHead(20, SIZE, sample_rate=0.1)
    with pytest.warns(UserWarning, match='more than the sample of 2'):
        head.loss(torch.randn(5, SIZE), torch.arange(5))


def test_sampling_resumes():
    head, other = (MarginHead(50, SIZE, sample_rate=0.2).double() for _ in range(2))
    embeddings, labels = batch(50)
    head.loss(embeddings, labels)
    other.load_state_dict(head.state_dict())
    assert head.loss(embeddings, labels)['loss'] == other.loss(embeddings, labels)['loss']


@pytest.mark.parametrize('name', MARGINS.names())
def test_chunks_change_nothing(name):
    results = []
    for chunk in (None, 1, 4):
        head = MarginHead(11, SIZE, dict(type=name), chunk_size=chunk).double()
        embeddings, labels = batch(11)
        head.loss(embeddings, labels)['loss'].backward()
        results.append([embeddings.grad, head.weight.grad, *[p.grad for p in head.margin.parameters()]])
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-9, atol=1e-12)


def test_bfloat16_products_are_close():
    embeddings, labels = batch(50)
    exact = MarginHead(50, SIZE).loss(embeddings.float(), labels)['loss']
    rough = MarginHead(50, SIZE, compute_dtype='bfloat16', chunk_size=7).loss(embeddings.float(), labels)['loss']
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0.05)
    assert rough.dtype == torch.float32 and rough != exact


def test_autocast_changes_nothing():
    embeddings, labels = batch(20)
    plain = MarginHead(20, SIZE).loss(embeddings.float(), labels)['loss']
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert MarginHead(20, SIZE).loss(embeddings.float(), labels)['loss'] == plain


def test_filter_sets_near_classes_to_zero():
    head = MarginHead(3, SIZE, dict(type='NormFace', s=10.0), filter_threshold=0.5).double()
    with torch.no_grad():
        head.weight.copy_(torch.eye(3, SIZE))
    embeddings = torch.tensor([[0.6, 0.79, 0.1] + [0.0] * (SIZE - 3)], dtype=torch.float64)
    logits = head.logits(embeddings, torch.tensor([0]))[0]
    assert logits[1] == 0 and logits[0] > 5 and logits[2] > 0


def test_reductions_and_state():
    embeddings, labels = batch(10)
    each, total, mean = (MarginHead(10, SIZE, reduction=kind).double().loss(embeddings, labels)['loss']
                         for kind in ('none', 'sum', 'mean'))
    assert each.shape == (6,)
    torch.testing.assert_close(each.sum(), total)
    torch.testing.assert_close(each.mean(), mean)


def test_logits_and_evaluation_move_no_state():
    for name in MARGINS.names():
        head = MarginHead(10, SIZE, dict(type=name)).double()
        before = copy.deepcopy(head.state_dict())
        embeddings, labels = batch(10)
        head.logits(embeddings, labels)
        head.eval().loss(embeddings, labels)
        assert all(torch.equal(before[key], value) for key, value in head.state_dict().items()
                   if torch.is_tensor(value)), name


def test_row_shards_and_meta_device():
    with torch.device('meta'):
        head = MarginHead(10, SIZE, dict(type='SubCenterArcFace', k=3))
    assert head.weight.shape == (30, SIZE) and row_shard(head.weight).per_class == 3
    head = copy.deepcopy(MarginHead(10, SIZE, dict(type='AdaMSoftmax')))
    assert row_shard(head.weight).total == row_shard(head.margin.class_margin).total == 10, 'a copy lost its shard'


def test_outliers_of_sub_centres():
    weight = torch.eye(4)  # two classes of two centres
    embeddings = torch.tensor([[5.0, 0, 0, 0], [2, .1, 0, 0], [.1, 3, 0, 0], [0.9, 1, 0, 0], [0, 0, 0, 1]])
    report = find_outliers(embeddings, torch.tensor([0, 0, 0, 0, 1]), weight, k=2)
    assert report.dominant.tolist() == [0, 1] and report.center.tolist() == [0, 0, 1, 1, 1]
    assert report.outlier.tolist() == [False, False, True, False, False]
    assert report.angle[3].item() == pytest.approx(48.01, abs=0.01)
    with pytest.raises(ValueError, match='k=3'):
        find_outliers(embeddings, torch.zeros(5, dtype=torch.int64), weight, k=3)


def test_the_logits_matrix_is_never_held_in_chunks():
    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if torch.is_tensor(result) and result.ndim == 2 and result.shape[0] == 16:
                self.size = max(self.size, result.shape[1])
            return result
    head = MarginHead(500, SIZE, dict(type='CurricularFace'), chunk_size=32)
    with warnings.catch_warnings(), Largest() as largest:
        head.loss(torch.randn(16, SIZE, requires_grad=True), torch.arange(16))['loss'].backward()
    assert largest.size == 32
