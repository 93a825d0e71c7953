"""BenchmarkMetric: same numbers for any order, batches and ranks; missing and doubled images are found."""
import numpy as np
import pytest
import torch

from mlaface.engine.distributed import join_ranks, leave_ranks
from mlaface.evaluation.functional.pairs import evaluate_pairs
from mlaface.registry import METRICS


def face_pairs(pairs=60, dimension=16, seed=0):
    draw = np.random.default_rng(seed)
    issame = np.arange(pairs) % 2 == 0
    first = draw.normal(size=(pairs, dimension))
    second = np.where(issame[:, None], first, draw.normal(size=(pairs, dimension)))
    embeddings = np.stack([first, second + draw.normal(size=first.shape)], axis=1).reshape(2 * pairs, dimension)
    return embeddings.astype(np.float32), issame


def make_metric(**options):
    embeddings, issame = zip(face_pairs(seed=1), face_pairs(40, seed=2))
    metric = METRICS.build(dict(type='BenchmarkMetric', **options))
    metric.dataset_meta = dict(benchmarks=dict(
        lfw=dict(protocol='pairs', start=0, images=120, issame=issame[0], folds=10),
        cfp=dict(protocol='pairs', start=120, images=80, issame=issame[1], folds=4)))
    return metric, np.concatenate(embeddings)


def feed(metric, embeddings, order, batch=17, **extra):
    for start in range(0, len(order), batch):
        rows = order[start:start + batch]
        metric.process({}, dict(embeddings=torch.from_numpy(embeddings[rows]), index=torch.from_numpy(rows), **extra))


def test_numbers_are_those_of_the_function():
    metric, embeddings = make_metric()
    feed(metric, embeddings, np.arange(200))
    numbers = metric.evaluate(200)
    expected = evaluate_pairs(embeddings[:120], metric.benchmarks['lfw']['issame'])
    assert numbers['lfw/accuracy'] == expected['metrics']['accuracy']['value']
    assert numbers['mean_accuracy'] == (numbers['lfw/accuracy'] + numbers['cfp/accuracy']) / 2
    assert metric.last_result['benchmarks']['cfp']['rules']['folds'] == 4
    assert metric.last_result['schema'] == 1


@pytest.mark.parametrize('batch', [1, 7, 200])
def test_any_order_and_batch_gives_the_same_numbers(batch):
    metric, embeddings = make_metric()
    feed(metric, embeddings, np.arange(200))
    expected = metric.evaluate(200)
    feed(metric, embeddings, np.random.default_rng(batch).permutation(200), batch)
    assert metric.evaluate(200) == expected


def test_rows_that_share_an_image_need_one_embedding():
    metric, embeddings = make_metric()
    same_as = np.arange(200)
    same_as[[7, 31, 150]] = [2, 2, 4]
    feed(metric, embeddings[same_as], np.arange(200))
    expected = metric.evaluate(200)
    metric.dataset_meta['same_as'] = same_as
    feed(metric, embeddings, np.unique(same_as)[::-1].copy())
    assert metric.evaluate(200) == expected
    feed(metric, embeddings, np.unique(same_as)[1:])
    with pytest.raises(ValueError, match='lfw: 1 of 120 images are missing, the first is image 0'):
        metric.evaluate(200)


def test_fused_embeddings_keep_the_rule_that_the_model_used():
    metric, embeddings = make_metric(flip='concat')
    feed(metric, embeddings, np.arange(200))
    metric.evaluate(200)
    assert metric.last_result['benchmarks']['lfw']['rules']['flip'] == 'concat'


def test_a_missing_image_is_named():
    metric, embeddings = make_metric()
    feed(metric, embeddings, np.delete(np.arange(200), 125))
    with pytest.raises(ValueError, match='cfp: 1 of 80 images are missing, the first is image 5;'):
        metric.evaluate(200)


def test_an_image_embedded_twice_is_named():
    metric, embeddings = make_metric()
    feed(metric, embeddings, np.append(np.arange(200), [3]))
    with pytest.raises(ValueError, match='lfw: 1 of 120 images are embedded more than once, the first is image 3'):
        metric.evaluate(200)


def test_no_batch_at_all_is_an_error():
    metric, _ = make_metric()
    with pytest.raises(ValueError, match='120 of 120 images are missing'):
        metric.evaluate(200)


def test_another_dimension_or_index_is_an_error():
    metric, embeddings = make_metric()
    feed(metric, embeddings, np.arange(10))
    with pytest.raises(ValueError, match='8 dimensions here and 16 before'):
        metric.process({}, dict(embeddings=embeddings[:2, :8], index=[10, 11]))
    with pytest.raises(ValueError, match='outside the data set of 200'):
        metric.process({}, dict(embeddings=embeddings[:1], index=[200]))
    with pytest.raises(ValueError, match='mirrored'):
        metric.process({}, dict(embeddings=embeddings[:1], flipped=embeddings[:1], index=[20]))


def test_an_unusable_embedding_is_named_with_its_benchmark():
    metric, embeddings = make_metric()
    embeddings[125] = np.nan
    feed(metric, embeddings, np.arange(200))
    with pytest.raises(ValueError, match='cfp: the embedding of image 5 is not finite'):
        metric.evaluate(200)


def test_mirror_images_of_another_dimension_are_an_error():
    metric, embeddings = make_metric()
    with pytest.raises(ValueError, match=r'embeddings are \(2, 16\), but those of the mirrored images \(2, 8\)'):
        metric.process({}, dict(embeddings=embeddings[:2], flipped=embeddings[:2, :8], index=[0, 1]))


def test_what_cannot_be_evaluated_is_an_error():
    metric, embeddings = make_metric()
    metric.dataset_meta = dict(benchmarks=dict(x=dict(protocol='paris', start=0, images=2)))
    feed(metric, embeddings, np.arange(2))
    with pytest.raises(KeyError, match="did you mean 'pairs'"):
        metric.evaluate(2)
    metric.dataset_meta = dict(classes=[])
    with pytest.raises(ValueError, match='has none in its metainfo'):
        metric.evaluate(2)
    with pytest.raises(ValueError, match="flop: not an option of any protocol; did you mean 'flip'"):
        make_metric(flop='sum')
    with pytest.raises(ValueError, match='quality: not an option of pairs'):
        metric, embeddings = make_metric(quality='none')
        feed(metric, embeddings, np.arange(200))
        metric.evaluate(200)


def _rank(rank, world_size, port, embeddings, queue):
    import os
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world_size))
    torch.set_num_threads(1)
    join_ranks('gloo')
    metric, _ = make_metric()
    if rank < world_size - 1:  # the last rank has no image at all
        feed(metric, embeddings, np.arange(200)[rank::world_size - 1])
    queue.put((rank, metric.evaluate(200)))
    leave_ranks()


@pytest.mark.slow
def test_ranks_agree_with_one_process():
    import socket
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    metric, embeddings = make_metric()
    feed(metric, embeddings, np.arange(200))
    expected = metric.evaluate(200)
    context = torch.multiprocessing.get_context('spawn')
    queue = context.Queue()
    processes = [context.Process(target=_rank, args=(rank, 3, port, embeddings, queue)) for rank in range(3)]
    [process.start() for process in processes]
    found = [queue.get(timeout=120)[1] for _ in processes]
    [process.join() for process in processes]
    assert found == [expected] * 3
