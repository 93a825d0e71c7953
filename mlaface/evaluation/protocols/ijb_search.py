"""IJB 1:N: probe templates searched in galleries of templates."""
from dataclasses import asdict

import numpy as np

from mlaface.evaluation.functional import joined, open_set
from mlaface.evaluation.protocols.image_search import SEARCH, labelled_pairs
from mlaface.evaluation.protocols.lists import find_file, read_table
from mlaface.evaluation.protocols.pooling import Pooled, first_images
from mlaface.evaluation.results.certainty import Sample
from mlaface.evaluation.search.choice import check_search, choose_search
from mlaface.registry import PROTOCOLS
from mlaface.utils.texts import read_text

GALLERIES = dict(ijbb=('S1', 'S2'), ijbc=('G1', 'G2'))


@PROTOCOLS.register_module('identification')
class Identification(Pooled):
    """Templates 1:N: ranks on mated probes and TPIR at FPIR, per gallery and mean.

    ``compat='insightface'`` searches the joined galleries by the rule of its script (``functional.joined``).

    Args:
        search (str): ``'auto'``, ``'blocks'`` or ``'faiss'``: how galleries are searched; see ``evaluation.search``.
        flip, norm, quality, far_rule, compat (str or None): See ``Pooled``.
    """
    name = 'identification'
    options = dict(Pooled.options, search=SEARCH)
    headline = ('rank', '1')
    words = dict(accept='false positive identification rate', hit='true positive identification rate',
                 miss='false negative identification rate', same='mated probe and its mate',
                 different='other probe, best entry', short=('FPIR', 'TPIR', 'FNIR'))

    def __init__(self, flip=None, norm=None, quality=None, far_rule=None, compat=None, search='auto'):
        super().__init__(flip, norm, quality, far_rule, compat)
        self.search = check_search(search)

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

    def image_pairs(self, benchmark):
        """Pairs that the labels of probes and galleries make, by first images; see the base class."""
        known = [benchmark['probes'], *benchmark['galleries'].values()]
        templates, first = np.unique(np.concatenate([templates for templates, _ in known]), return_index=True)
        pairs, issame = labelled_pairs(np.concatenate([subjects for _, subjects in known])[first])
        return first_images(benchmark)(templates)[pairs], issame


def read_search(meta, name):
    """Galleries and probes of 1:N.

    Args:
        meta (Path): Folder of the lists.
        name (str): ``'ijbb'`` or ``'ijbc'``.

    Returns:
        dict: ``galleries``, name -> (templates, subjects), and ``probes`` (templates, subjects).

    Raises:
        ValueError: If a probe's subject is in no gallery; names the template.
    """
    galleries = {gallery: read_subjects(find_file(meta, f'{name}_1N_gallery_{gallery}.csv'))
                 for gallery in GALLERIES[name]}
    path = find_file(meta, f'{name}_1N_probe_mixed.csv')
    templates, subjects = read_subjects(path)
    lost = np.flatnonzero(~np.isin(subjects, np.concatenate([known for _, known in galleries.values()])))
    if len(lost):
        raise ValueError(f'{path}: subject {subjects[lost[0]]} of probe template {templates[lost[0]]} is in no gallery '
                         f'({", ".join(galleries)}; {len(lost)} such): a list is torn or of another set')
    return dict(galleries=galleries, probes=(templates, subjects))


def read_subjects(path):
    """``ijbc_1N_*.csv``: template and subject of each image, below a line of headings; a template once.

    Returns:
        tuple: Templates (T,), rising, and subjects (T,).

    Raises:
        ValueError: If a template has two subjects.
    """
    headed = not read_text(path).partition(',')[0].strip().isdigit()
    pairs = np.unique(read_table(path, (0, 1), ',', skip=int(headed)), axis=0)
    doubled = pairs[1:, 0][pairs[1:, 0] == pairs[:-1, 0]]
    if len(doubled):
        raise ValueError(f'{path}: template {doubled[0]} has two subjects')
    return pairs[:, 0], pairs[:, 1]
