"""IJB-B and IJB-C as metrics: templates compared 1:1, and searched 1:N."""
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np
import torch

from mlaface.evaluation.certainty import Sample
from mlaface.evaluation.device import arrays_on
from mlaface.evaluation.functional import joined, open_set
from mlaface.evaluation.functional.arrays import HOST
from mlaface.evaluation.functional.resampling import WeightedSample
from mlaface.evaluation.functional.template_pairs import FARS, linked_people, template_scores, templates_entry
from mlaface.evaluation.functional.templates import TemplateRules, pool_templates
from mlaface.evaluation.metrics.base import EmbeddingMetric
from mlaface.evaluation.search import check_search, choose_search
from mlaface.registry import METRICS


class PooledMetric(EmbeddingMetric):
    """What the protocols on templates share: the rules of pooling.

    Args:
        flip, norm, quality, far_rule (str or None): See ``TemplateRules``; None is the default of ``compat``. Where a
            model hands over embeddings that it has fused itself, ``flip`` says how it did.
        compat (str or None): ``'insightface'`` begins with the rules of the published scripts.
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Seed of the resampling.
        device (str): Where scores are computed; the numbers are the same on all.
        search (str): ``'auto'``, ``'blocks'`` or ``'faiss'``: how 1:N is searched; see ``evaluation.search``.
    """
    compats = ('insightface',)

    def __init__(self, flip=None, norm=None, quality=None, far_rule=None, compat=None, bootstrap=0, seed=0,
                 device='cpu', search='auto'):
        super().__init__(bootstrap, seed, compat)
        self.device, self.search = device, check_search(search)
        given = dict(flip=flip, norm=norm, quality=quality, far_rule=far_rule)
        rules = TemplateRules.insightface() if compat else TemplateRules()
        self.rules = replace(rules, **{key: value for key, value in given.items() if value is not None})

    def pool(self, embeddings, flipped, benchmark):
        """The benchmark's templates by the rules; without mirrored images there is nothing left to fuse."""
        return pool_templates(embeddings, benchmark['templates'], benchmark['media'], flipped=flipped,
                              quality=benchmark.get('quality'), names=benchmark.get('names'),
                              rules=self.rules if flipped is not None else replace(self.rules, flip='none'))


class TemplatePairs(NamedTuple):
    """Cosines float64 (P,) of the list's pairs, and the templates that were pooled."""
    cosine: np.ndarray
    templates: int


@METRICS.register_module()
class TemplatesMetric(PooledMetric):
    """IJB 1:1: TAR at FAR 1e-6 to 1e-1 over the published list of pairs."""
    protocol = 'templates'
    headline = ('auc', 'value')

    def scores(self, embeddings, flipped, benchmark):
        """``TemplatePairs``; see the base class."""
        templates = self.pool(embeddings, flipped, benchmark)
        arrays = arrays_on(self.device)
        workers = torch.get_num_threads() if arrays is HOST else 1
        scores = template_scores(templates, benchmark['first'], benchmark['second'], workers, arrays)
        return TemplatePairs(scores, len(templates.ids))

    def entry(self, scores, benchmark):
        """The numbers of 1:1; see the base class."""
        counts = dict(images=benchmark['images'], templates=scores.templates)
        return templates_entry(scores.cosine, benchmark['issame'], counts, self.rules)

    def sample(self, scores, benchmark):
        """People are those that the list's same pairs link; see the base class."""
        sample = WeightedSample(scores.cosine, benchmark['issame'], corners=self.rules.far_rule == 'strict')
        people = linked_people(benchmark['first'], benchmark['second'], benchmark['issame'])
        return Sample('people', people, lambda weights: dict(metrics=sample.rates(weights, FARS, self.rules.far_rule)),
                      ('metrics', 'tar_at_far', '1e-4'))

    def curves(self, scores, benchmark):
        """Cosines and labels of the pairs of templates; see the base class."""
        return {'': (scores.cosine, np.asarray(benchmark['issame'], bool))}


@METRICS.register_module()
class IdentificationMetric(PooledMetric):
    """IJB 1:N: ranks on mated probes and TPIR at FPIR, per gallery and mean.

    ``compat='insightface'`` searches the joined galleries by the rule of its script (``functional.joined``).
    """
    protocol = 'identification'
    headline = ('rank', '1')

    @property
    def rule(self):
        """The module of the rule."""
        return joined if self.compat else open_set

    def scores(self, embeddings, flipped, benchmark):
        """What the rule's ``search`` finds; see the base class."""
        templates = self.pool(embeddings, flipped, benchmark)
        probes, subjects = benchmark['probes']
        rows = templates.embeddings[templates.rows(probes, 'the list of probes')]
        names = [f'template {number}' for number in probes]
        galleries = {name: (templates.embeddings[templates.rows(ids, f'gallery {name}')], known)
                     for name, (ids, known) in benchmark['galleries'].items()}
        scan = choose_search(self.search, self.device, len(rows) * sum(len(known) for _, known in galleries.values()))
        return self.rule.search(rows, subjects, galleries, names=names, scan=scan)

    def entry(self, scores, benchmark):
        """The numbers of 1:N; see the base class."""
        entry = self.rule.entry(scores, {name: len(ids) for name, (ids, _) in benchmark['galleries'].items()})
        entry['rules'] = {**asdict(self.rules), **entry['rules']}
        entry['counts'] = dict(images=benchmark['images'], **entry['counts'])
        return entry

    def sample(self, scores, benchmark):
        """The people of the probes are drawn, the galleries stay; see the base class."""
        return Sample('people', benchmark['probes'][1], lambda weights: self.rule.metrics(scores, weights=weights),
                      ('metrics', 'rank', '1'), self.rule.hits(scores))

    def curves(self, scores, benchmark):
        """Best mates of mated probes against best entries of the others, by gallery; see the base class."""
        return self.rule.curves(scores)
