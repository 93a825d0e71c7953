"""Benchmarks as a metric of MMEngine: validation in training."""
from mmengine.evaluator import BaseMetric

from mlaface.evaluation.embeddings.table import EmbeddingTable
from mlaface.evaluation.evaluate import measure
from mlaface.evaluation.protocols.registered import check_options
from mlaface.evaluation.results.result import make_result
from mlaface.registry import METRICS
from mlaface.utils.errors import InputError


@METRICS.register_module()
class BenchmarkMetric(BaseMetric):
    """Collects embeddings by index, and evaluates every benchmark of the data set by its protocol.

    Args:
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Seed of the resampling.
        **options: Of the protocols; see ``mlaface test --help``. Where a model hands over embeddings that it has fused
            with those of the mirror images itself, ``flip`` says how it did.

    Attributes:
        last_result (dict): Result JSON of the last evaluation.
        keep_scores (bool): Whether what the numbers were made of stays after an evaluation, for hooks. Default False.
        last_scores (dict or None): Benchmark -> what its protocol made of the embeddings.

    Raises:
        ValueError: If ``bootstrap`` is below zero, or no protocol has such an option.
    """
    default_prefix = ''

    def __init__(self, bootstrap=0, seed=0, **options):
        super().__init__()
        if bootstrap < 0:
            raise ValueError(f'bootstrap is a number of resamples, not {bootstrap}')
        check_options(options)
        self.bootstrap, self.seed, self.options = bootstrap, seed, options
        self.table = None
        self.last_result = None
        self.keep_scores, self.last_scores = False, None

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

    @property
    def benchmarks(self):
        """The data set's benchmarks, name -> dict.

        Raises:
            InputError: If it has none.
        """
        found = (self.dataset_meta or {}).get('benchmarks')
        if not found:
            raise InputError('BenchmarkMetric evaluates the benchmarks of a data set, and this one has none in its '
                             "metainfo: name an evaluation set, such as dict(type='VerificationSets', ...)")
        return found

    def _new_table(self):
        """A table of the rows that the data set's benchmarks span."""
        images = max(entry['start'] + entry['images'] for entry in self.benchmarks.values())
        return EmbeddingTable(images, self.dataset_meta.get('same_as'))

    def evaluate(self, size=None):
        """Gather over ranks and evaluate; every rank returns the same numbers.

        Args:
            size (int or None): Images of the data set; MMEngine gives it, and what its benchmarks span is checked.

        Returns:
            dict: ``{name}/{headline}`` of each benchmark and ``mean_{headline}``. The whole is ``last_result``.

        Raises:
            InputError: If an image is missing, was embedded twice, or its embedding is not usable; names the benchmark.
        """
        table, self.table = self.table or self._new_table(), None
        table.gather()
        measured = measure(self.benchmarks, table, self.options, self.bootstrap, self.seed)
        self.last_result = make_result(measured.entries, dict(embedding_size=table.dimension))
        self.last_scores = measured.scores if self.keep_scores else None
        return measured.summary()

    def compute_metrics(self, results):
        """Not used: the rows are in the table, not in a list of results."""
        raise NotImplementedError('BenchmarkMetric.evaluate does not go through lists of results')
