"""What every metric on embeddings shares: rows gathered by index, over batches and ranks, in one array."""
from abc import abstractmethod

import numpy as np
from mmengine.evaluator import BaseMetric

from mlaface.evaluation.certainty import add_intervals
from mlaface.evaluation.result import make_result
from mlaface.evaluation.table import EmbeddingTable
from mlaface.utils.errors import InputError


class EmbeddingMetric(BaseMetric):
    """Collects embeddings by index, and evaluates every benchmark of its protocol.

    A protocol is a subclass with ``protocol``, ``headline``, ``scores``, ``entry`` and ``sample``; nothing else knows
    it.

    Args:
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Seed of the resampling.
        compat (str or None): Whose public code's numbers to reproduce, one of ``compats``; see the protocol.

    Raises:
        ValueError: If ``bootstrap`` is below zero, or ``compat`` is not known to the protocol.
    """
    protocol = None
    compats = ()
    headline = ('accuracy', 'value')
    default_prefix = ''

    def __init__(self, bootstrap=0, seed=0, compat=None):
        super().__init__()
        if compat not in (None, *self.compats):
            raise ValueError(f'compat of the protocol {self.protocol} must be None or one of {self.compats}; got '
                             f'{compat!r}')
        if bootstrap < 0:
            raise ValueError(f'bootstrap is a number of resamples, not {bootstrap}')
        self.bootstrap = bootstrap
        self.seed = seed
        self.compat = compat
        self.table = None
        self.last_result = None

    def process(self, data_batch, data_samples):
        """Take the embeddings of one batch.

        Args:
            data_batch (dict): Not used: all that is needed is in the outputs.
            data_samples (dict or sequence of dict): ``embeddings`` float (N, D), ``index`` int (N,), the images'
                rows in the data set, and optionally ``flipped`` (N, D).
        """
        if self.table is None:
            self.table = self._new_table()
        for outputs in [data_samples] if isinstance(data_samples, dict) else data_samples:
            self.table.add(outputs['index'], outputs['embeddings'], outputs.get('flipped'))

    def benchmarks(self):
        """The data set's benchmarks of this protocol, name -> dict.

        Raises:
            InputError: If the data set has none.
        """
        found = (self.dataset_meta or {}).get('benchmarks', {})
        mine = {name: entry for name, entry in found.items() if entry['protocol'] == self.protocol}
        if not mine:
            raise InputError(f'{type(self).__name__} evaluates benchmarks of the protocol {self.protocol!r}, and the '
                             f'data set has {sorted(found) or "no benchmarks"}')
        return mine

    def _new_table(self):
        """A table of the rows that the data set's benchmarks span."""
        images = max(entry['start'] + entry['images'] for entry in self.dataset_meta['benchmarks'].values())
        return EmbeddingTable(images, self.dataset_meta.get('same_as'))

    def evaluate(self, size=None):
        """Gather over ranks and evaluate; every rank returns the same numbers.

        Args:
            size (int or None): Images of the data set, checked against what its benchmarks span.

        Returns:
            dict: ``{name}/{headline}`` of each benchmark and ``mean_{headline}``. The whole is ``last_result``.

        Raises:
            InputError: If an image is missing, was embedded twice, or its embedding is not usable; names the benchmark.
        """
        benchmarks, table = self.benchmarks(), self.table or self._new_table()
        self.table = None
        table.gather()
        entries = {}
        for name, benchmark in benchmarks.items():
            rows = slice(benchmark['start'], benchmark['start'] + benchmark['images'])
            embeddings, flipped = table.rows(rows, name, benchmark.get('names'))
            try:
                entries[name] = self.full_entry(self.scores(embeddings, flipped, benchmark), benchmark)
            except ValueError as error:
                raise InputError(f'{name}: {error}') from error
        self.last_result = make_result(entries, dict(embedding_size=table.dimension))
        return self.summary(entries)

    def summary(self, entries):
        """The headline number of each benchmark and their mean, for logs and for choosing the best checkpoint."""
        metric, key = self.headline
        numbers = {f'{name}/{metric}': _value(entry['metrics'][metric][key])
                   for name, entry in entries.items()}
        return {**numbers, f'mean_{metric}': float(np.mean(list(numbers.values())))}

    def full_entry(self, scores, benchmark):
        """``entry``, with intervals if they were asked for."""
        entry = self.entry(scores, benchmark)
        if self.bootstrap:
            add_intervals(entry, self.sample(scores, benchmark), self.bootstrap, self.seed)
        return entry

    @abstractmethod
    def scores(self, embeddings, flipped, benchmark):
        """What all numbers of a benchmark are made of; the dear part, done once.

        Args:
            embeddings (ndarray (N, D)): Its images' embeddings, in order.
            flipped (ndarray (N, D) or None): Those of the mirrored images.
            benchmark (dict): Its entry in ``dataset_meta['benchmarks']``.

        Returns:
            object: For the methods below.
        """

    @abstractmethod
    def entry(self, scores, benchmark):
        """The benchmark's entry of result JSON, without intervals."""

    @abstractmethod
    def sample(self, scores, benchmark):
        """``certainty.Sample`` of the same numbers, for intervals and comparisons."""

    def curves(self, scores, benchmark):
        """What a report draws curves and histograms of.

        Returns:
            dict[str, tuple]: Label (empty if there is one only) -> scores float64 (P,) and issame bool (P,).
        """
        return {}

    def compute_metrics(self, results):
        """Not used: the rows are in the table, not in a list of results."""
        raise NotImplementedError('EmbeddingMetric.evaluate does not go through lists of results')


def _value(number):
    """A number, or the number in its row of a table."""
    return number['value'] if isinstance(number, dict) else number
