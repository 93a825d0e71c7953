"""CFP (Sengupta et al. 2016): frontal and profile images, folders of folds."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.images.files import ImageFiles
from mlaface.evaluation.protocols.lists import find_file, read_fields
from mlaface.evaluation.protocols.pairs import Pairs
from mlaface.evaluation.suite import Suite
from mlaface.registry import PROTOCOLS


@PROTOCOLS.register_module('cfp')
class CFP(Pairs):
    """Celebrities in Frontal-Profile (Sengupta et al. 2016): frontal to frontal and frontal to profile."""
    name = 'cfp'
    published = dict(cfp_ff=dict(pairs=7000, positives=3500), cfp_fp=dict(pairs=7000, positives=3500))

    @classmethod
    def open(cls, root):
        """``Protocol/Pair_list_{F,P}.txt`` and ``Protocol/Split/{FF,FP}/NN/{same,diff}.txt``; see the base class."""
        protocol = Path(root) / 'Protocol'
        files = {kind: _numbered(find_file(protocol, f'Pair_list_{kind}.txt')) for kind in 'FP'}
        names, benchmarks = [], {}
        for split, second in (('FF', 'F'), ('FP', 'P')):
            pairs, issame, folds = _pairs(protocol / 'Split' / split, files['F'], files[second])
            people = np.array([[Path(path).parts[-3] for path in pair] for pair in pairs])
            benchmarks[f'cfp_{split.lower()}'] = dict(protocol='pairs', start=len(names), images=2 * len(pairs),
                                                      issame=issame, folds=folds, subjects=people)
            names += [path for pair in pairs for path in pair]
        images = ImageFiles(root, names)
        for entry in benchmarks.values():
            entry['names'] = images.names[entry['start']:entry['start'] + entry['images']]
        return Suite(images, benchmarks)


def _numbered(path):
    """Number -> path below the set's folder; the lists write paths from their own folder, ``../Data/...``.

    Raises:
        ValueError: If a path does not end as ``PERSON/KIND/IMAGE``; names file and line.
    """
    found = {}
    for number, fields in read_fields(path, (2,)):
        found[fields[0]] = fields[1].replace('\\', '/').removeprefix('../')
        if found[fields[0]].count('/') < 2:
            raise ValueError(f'{path}, line {number}: {fields[1]!r} does not end as PERSON/frontal/IMAGE')
    return found


def _pairs(split, first, second):
    """Pairs of paths, labels and the number of folds of one split.

    Raises:
        FileNotFoundError: If there are no folds.
        ValueError: If a pair names an unknown image, or the folds are not equal in size: names the file or the fold.
    """
    folds = sorted(path for path in split.iterdir() if path.is_dir()) if split.is_dir() else []
    if not folds:
        raise FileNotFoundError(f'no folds in {split}: folders 01, 02, ... with same.txt and diff.txt are needed')
    pairs, issame, sizes = [], [], []
    for fold in folds:
        for kind in ('same', 'diff'):
            path = find_file(fold, f'{kind}.txt')
            for number, fields in read_fields(path, (2,), ','):
                if fields[0] not in first or fields[1] not in second:
                    raise ValueError(f'{path}, line {number}: {",".join(fields)} names an image that no Pair_list has')
                pairs.append((first[fields[0]], second[fields[1]]))
                issame.append(kind == 'same')
        sizes.append(len(pairs) - sum(sizes))
        if sizes[-1] != sizes[0]:
            raise ValueError(f'{fold} has {sizes[-1]} pairs, and {folds[0]} {sizes[0]}: a file is torn')
    return pairs, np.array(issame, bool), len(folds)
