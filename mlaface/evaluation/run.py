"""Evaluate a network on a suite: embeddings once, then every benchmark on its rows."""
import time
from dataclasses import dataclass, field

import numpy as np

from mlaface.evaluation.embedding import embed_images
from mlaface.evaluation.result import make_result
from mlaface.evaluation.suites import check_options, metric_of
from mlaface.evaluation.table import EmbeddingTable


@dataclass
class Evaluation:
    """What came out of a suite.

    Args:
        result (dict): Result JSON.
        suite (Suite): What was evaluated.
        embeddings (ndarray (N, D)): Of all images.
        flipped (ndarray (N, D) or None): Of the mirrored images.
        metrics (dict): Protocol -> the metric that was used.
        scores (dict): Benchmark -> what its metric made its numbers of.
    """
    result: dict
    suite: object
    embeddings: np.ndarray
    flipped: np.ndarray | None
    metrics: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)

    def sample(self, name):
        """``certainty.Sample`` of one benchmark."""
        benchmark = self.suite.benchmarks[name]
        return self.metrics[benchmark['protocol']].sample(self.scores[name], benchmark)

    def curves(self, name):
        """Scores and labels of one benchmark by label; see ``EmbeddingMetric.curves``."""
        benchmark = self.suite.benchmarks[name]
        return self.metrics[benchmark['protocol']].curves(self.scores[name], benchmark)

    def part(self, name):
        """Embeddings and flipped embeddings of one benchmark's images."""
        entry = self.suite.benchmarks[name]
        rows = slice(entry['start'], entry['start'] + entry['images'])
        return self.embeddings[rows], None if self.flipped is None else self.flipped[rows]


def evaluate(network, suite, options=None, batch_size=64, workers=1, device='cpu', progress=None):
    """Evaluate a network on all benchmarks of a suite; with several ranks, each embeds its share of the images.

    Args:
        network (object or None): As in ``evaluation.networks``; None for precomputed embeddings.
        suite (Suite): What to evaluate.
        options (dict or None): Rules by name, for the metrics that take them.
        batch_size (int): Images of a forward pass.
        workers (int): Threads that read.
        device (str): Where the network runs; scores of templates and searches are computed there too.
        progress (callable or None): Called with the number of images of each finished batch.

    Returns:
        Evaluation: The same on every rank.

    Raises:
        ValueError: If options, images or embeddings do not fit.
    """
    options = with_own_flip(network, options or {})
    check_options(suite.benchmarks, options)
    start = time.perf_counter()
    if suite.embeddings is None:
        mirrored = options.get('flip') != 'none' and getattr(network, 'flip', 'none') == 'none'
        embeddings, flipped = embed_suite(network, suite, mirrored, batch_size, workers, progress)
    else:
        embeddings, flipped = suite.embeddings, suite.flipped
        if flipped is None and options.get('flip', 'none') != 'none':
            raise ValueError(f'flip={options["flip"]!r} needs the embeddings of the mirrored images, and the file has '
                             'no array "flipped"')
        options = options if flipped is not None else {**options, 'flip': 'none'}
    seconds = (time.perf_counter() - start) / max(1, suite.count)
    evaluation = Evaluation(None, suite, embeddings, flipped)
    entries = {name: _entry(evaluation, name, options, device, seconds) for name in suite.benchmarks}
    described = network.describe() if network is not None else dict(name='precomputed embeddings')
    evaluation.result = make_result(entries, {**described, 'embedding_size': int(embeddings.shape[1])}, device)
    return evaluation


def with_own_flip(network, options):
    """Options with the flip rule of a network that joins image and mirror image by itself.

    Raises:
        ValueError: If another rule was asked for.
    """
    own = getattr(network, 'flip', 'none')
    if own == 'none':
        return options
    if options.get('flip', own) != own:
        raise ValueError(f'the model joins image and mirror image by itself (flip={own!r}), so that '
                         f'flip={options["flip"]!r} cannot be evaluated with it')
    return {**options, 'flip': own}


def _entry(evaluation, name, options, device, seconds_per_image):
    """One benchmark's entry, with the time that its images and its numbers took."""
    benchmark, start = evaluation.suite.benchmarks[name], time.perf_counter()
    metric = metric_of(benchmark['protocol'], {'device': device, **options})
    evaluation.metrics[benchmark['protocol']] = metric
    try:
        evaluation.scores[name] = metric.scores(*evaluation.part(name), benchmark)
        entry = metric.full_entry(evaluation.scores[name], benchmark)
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error
    entry['seconds'] = round(time.perf_counter() - start + seconds_per_image * benchmark['images'], 3)
    return entry


def embed_suite(network, suite, flip=True, batch_size=64, workers=1, progress=None):
    """Embeddings of all images of a suite, each distinct one embedded once, over all ranks.

    Returns:
        tuple: embeddings (N, D) and flipped (N, D), or None without ``flip``; the same on every rank.

    Raises:
        OSError, ValueError: If an image or a batch cannot be embedded, on every rank.
    """
    from mmengine import dist
    table, rank, ranks = EmbeddingTable(suite.count, suite.same_as), dist.get_rank(), dist.get_world_size()
    rows = suite.distinct[rank::ranks]
    error = None
    try:
        for outputs in embed_images(network, suite.images, rows, batch_size, flip, workers):
            table.add(**outputs)
            if progress is not None:
                progress(len(outputs['index']))
    except (OSError, ValueError) as caught:
        error = caught
    _raise_together(error)
    table.gather()
    return table.rows(slice(None), 'images')


def _raise_together(error):
    """Raise what one rank met on all ranks, so that none waits for embeddings that never come."""
    from mmengine import dist
    messages = dist.all_gather_object(None if error is None else str(error))
    if error is not None:
        raise error
    for message in filter(None, messages):
        raise ValueError(message)
