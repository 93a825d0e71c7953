"""IJB-B and IJB-C as metrics: templates compared 1:1, and searched 1:N."""
from dataclasses import asdict, replace

from mlaface.evaluation.functional.identification import evaluate_open_set
from mlaface.evaluation.functional.templates import TemplateRules, evaluate_templates, pool_templates, template_scores
from mlaface.evaluation.metrics.base import EmbeddingMetric
from mlaface.registry import METRICS


class PooledMetric(EmbeddingMetric):
    """What the protocols on templates share: the rules of pooling.

    Args:
        flip, norm, quality, far_rule (str or None): See ``TemplateRules``; None is the default of ``compat``.
        compat (str or None): ``'insightface'`` begins with the rules of the published scripts.
    """

    def __init__(self, flip=None, norm=None, quality=None, far_rule=None, compat=None):
        super().__init__()
        if compat not in (None, 'insightface'):
            raise ValueError(f"compat must be None or 'insightface'; got {compat!r}")
        given = dict(flip=flip, norm=norm, quality=quality, far_rule=far_rule)
        rules = TemplateRules.insightface() if compat else TemplateRules()
        self.rules = replace(rules, **{key: value for key, value in given.items() if value is not None})

    def pool(self, embeddings, flipped, benchmark):
        """The benchmark's templates by the rules."""
        return pool_templates(embeddings, benchmark['templates'], benchmark['media'], flipped=flipped,
                              quality=benchmark.get('quality'), rules=self.rules_for(flipped),
                              names=benchmark.get('names'))

    def rules_for(self, flipped):
        """The rules; without mirrored images (fused before, or not embedded) there is nothing to fuse."""
        return self.rules if flipped is not None else replace(self.rules, flip='none')


@METRICS.register_module()
class TemplatesMetric(PooledMetric):
    """IJB 1:1: TAR at FAR 1e-6 to 1e-1 over the published list of pairs."""
    protocol = 'templates'
    headline = ('auc', 'value')

    def scored_pairs(self, embeddings, flipped, benchmark):
        """Cosines and labels of the pairs of templates; see the base class."""
        templates = self.pool(embeddings, flipped, benchmark)
        return template_scores(templates, benchmark['first'], benchmark['second']), benchmark['issame']

    def benchmark_entry(self, embeddings, flipped, benchmark):
        """Evaluate 1:1; see the base class."""
        return evaluate_templates(self.pool(embeddings, flipped, benchmark), benchmark['first'], benchmark['second'],
                                  benchmark['issame'], images=len(embeddings), rules=self.rules_for(flipped))


@METRICS.register_module()
class IdentificationMetric(PooledMetric):
    """IJB 1:N: ranks on mated probes and TPIR at FPIR, per gallery and mean."""
    protocol = 'identification'
    headline = ('rank', '1')

    def benchmark_entry(self, embeddings, flipped, benchmark):
        """Evaluate 1:N; see the base class."""
        templates = self.pool(embeddings, flipped, benchmark)
        probes, subjects = benchmark['probes']
        galleries = {name: (templates.embeddings[templates.rows(ids, f'gallery {name}')], known)
                     for name, (ids, known) in benchmark['galleries'].items()}
        entry = evaluate_open_set(templates.embeddings[templates.rows(probes, 'the list of probes')], subjects,
                                  galleries, names=[f'template {number}' for number in probes])
        entry['rules'] = {**asdict(self.rules_for(flipped)), **entry['rules']}
        return entry
