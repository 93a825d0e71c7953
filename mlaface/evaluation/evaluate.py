"""The one way from a network, or from embeddings, to a result: training's validation and the command line use it."""
import time
from dataclasses import dataclass, field

import numpy as np

from mlaface.evaluation.embeddings.embed import embed_suite
from mlaface.evaluation.embeddings.table import EmbeddingTable
from mlaface.evaluation.protocols.registered import build_protocols
from mlaface.evaluation.results.certainty import add_intervals
from mlaface.evaluation.results.result import make_result, plain
from mlaface.utils.errors import InputError


@dataclass
class Evaluation:
    """Benchmarks that were measured.

    Args:
        benchmarks (dict): Name -> entry of a suite.
        table (EmbeddingTable): Embeddings of all images.
        protocols (dict): Name of a protocol -> the object that made the numbers.
        scores (dict): Benchmark -> what its protocol made its numbers of.
        entries (dict): Benchmark -> entry of result JSON.
        suite (Suite or None): Where the benchmarks come from; ``evaluate`` sets it, and
        result (dict or None): result JSON.
    """
    benchmarks: dict
    table: EmbeddingTable
    protocols: dict
    scores: dict = field(default_factory=dict)
    entries: dict = field(default_factory=dict)
    suite: object = None
    result: dict | None = None

    @property
    def embeddings(self):
        """Embeddings of all images, ndarray (N, D)."""
        return self.table.arrays['embeddings']

    @property
    def flipped(self):
        """Embeddings of all mirrored images, ndarray (N, D) or None."""
        return self.table.arrays.get('flipped')

    def protocol(self, name):
        """The protocol of one benchmark."""
        return self.protocols[self.benchmarks[name]['protocol']]

    def sample(self, name):
        """``certainty.Sample`` of one benchmark."""
        return self.protocol(name).sample(self.scores[name], self.benchmarks[name])

    def curves(self, name):
        """Scores and labels of one benchmark by label; see ``Protocol.curves``."""
        return self.protocol(name).curves(self.scores[name], self.benchmarks[name])

    def image_pairs(self, name):
        """Pairs of one benchmark's images; see ``Protocol.image_pairs``."""
        return self.protocol(name).image_pairs(self.benchmarks[name])

    def part(self, name):
        """Embeddings and flipped embeddings of one benchmark's images."""
        entry = self.benchmarks[name]
        return self.table.rows(slice(entry['start'], entry['start'] + entry['images']), name, entry.get('names'))

    def summary(self):
        """The headline number of each benchmark, and for each kind of number the mean (dict[str, float])."""
        numbers, means = {}, {}
        for name, protocol in self.protocols.items():
            mine = {key: entry for key, entry in self.entries.items() if self.benchmarks[key]['protocol'] == name}
            found = protocol.headlines(mine)
            numbers.update(found)
            means.setdefault(f'mean_{protocol.headline[0]}', []).extend(found.values())
        return {**numbers, **{name: float(np.mean(values)) for name, values in means.items()}}


def measure(benchmarks, table, options=None, bootstrap=0, seed=0, device='cpu'):
    """The numbers of benchmarks from the embeddings of their images.

    Args:
        benchmarks (dict): Name -> entry of a suite.
        table (EmbeddingTable): Complete.
        options (dict or None): Of the protocols, by name.
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Of the resampling.
        device (str): Where scores of templates and searches are computed.

    Returns:
        Evaluation: With ``scores`` and ``entries``; each entry says the ``seconds`` that its numbers took.

    Raises:
        InputError: If an option is unknown, an image is missing, or an embedding is not usable; names the benchmark.
    """
    evaluation = Evaluation(benchmarks, table, build_protocols(benchmarks, options or {}, device))
    for name, benchmark in benchmarks.items():
        protocol, start = evaluation.protocol(name), time.perf_counter()
        embeddings, flipped = evaluation.part(name)
        try:
            scores = protocol.scores(embeddings, flipped, benchmark)
            entry = plain(protocol.entry(scores, benchmark))
            sample = protocol.sample(scores, benchmark) if bootstrap else None
            if sample is not None:
                add_intervals(entry, sample, bootstrap, seed)
        except ValueError as error:
            raise InputError(f'{name}: {error}') from error
        doubled = protocol.duplicate_pairs(benchmark, table.same_as)
        if doubled:
            entry['counts']['duplicate_pairs'] = int(doubled)
        entry['seconds'] = round(time.perf_counter() - start, 3)
        evaluation.scores[name], evaluation.entries[name] = scores, entry
    return evaluation


def evaluate(network, suite, options=None, bootstrap=0, seed=0, batch_size=64, workers=1, device='cpu', progress=None):
    """Evaluate a network on all benchmarks of a suite; with several ranks, each embeds its share of the images.

    Args:
        network (object or None): As in ``evaluation.networks``; None for precomputed embeddings.
        suite (Suite): What to evaluate.
        options (dict or None): Of the protocols, by name.
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Of the resampling.
        batch_size (int): Images of a forward pass.
        workers (int): Threads that read.
        device (str): Where the network runs; scores of templates and searches are computed there too.
        progress (callable or None): Called with the number of images of each finished batch.

    Returns:
        Evaluation: With ``result``, the same on every rank.

    Raises:
        ValueError: If options, images or embeddings do not fit.
    """
    options = with_own_flip(network, options or {})
    build_protocols(suite.benchmarks, options)  # what cannot be is refused before an image is read
    start = time.perf_counter()
    if suite.embeddings is None:
        mirrored = options.get('flip') != 'none' and getattr(network, 'flip', 'none') == 'none'
        table = embed_suite(network, suite, mirrored, batch_size, workers, progress)
    else:
        table, options = EmbeddingTable.of(suite.embeddings, suite.flipped), with_stored_flip(suite, options)
    seconds = (time.perf_counter() - start) / max(1, suite.count)
    evaluation = measure(suite.benchmarks, table, options, bootstrap, seed, device)
    for name, entry in evaluation.entries.items():
        entry['seconds'] = round(entry['seconds'] + seconds * suite.benchmarks[name]['images'], 3)
    described = network.describe() if network is not None else dict(name='precomputed embeddings')
    evaluation.suite = suite
    evaluation.result = make_result(evaluation.entries, {**described, 'embedding_size': table.dimension}, device)
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


def with_stored_flip(suite, options):
    """Options of precomputed embeddings: without those of the mirrored images there is nothing to fuse.

    Raises:
        ValueError: If fusing was asked for.
    """
    if suite.flipped is not None:
        return options
    if options.get('flip', 'none') != 'none':
        raise ValueError(f'flip={options["flip"]!r} needs the embeddings of the mirrored images, and the file has '
                         'no array "flipped"')
    return {**options, 'flip': 'none'}
