"""RFW (Wang et al. 2019): a pairs list for each of four groups of people, and the gap between the groups."""
import numpy as np

from mlaface.evaluation.functional.groups import accuracy_gap, groups_entry
from mlaface.evaluation.functional.pairs import pair_scores
from mlaface.evaluation.images.alignment import can_align
from mlaface.evaluation.images.files import ImageFiles, without_suffix
from mlaface.evaluation.protocols.lfw import read_lfw_pairs
from mlaface.evaluation.protocols.lists import find_file, find_folder, numbers_of, read_fields
from mlaface.evaluation.protocols.pairs import Pairs, resampled_pairs
from mlaface.evaluation.results.certainty import Sample, people_or_pairs
from mlaface.evaluation.suite import Suite, bin_suite
from mlaface.registry import PROTOCOLS

RACES = ('African', 'Asian', 'Caucasian', 'Indian')


@PROTOCOLS.register_module(['rfw', 'groups'])
class RFW(Pairs):
    """Racial Faces in the Wild (Wang et al. 2019): pairs of each of four groups, and how far they lie apart."""
    name = 'rfw'
    published = dict(rfw=dict(pairs=24000, positives=12000))

    @classmethod
    def open(cls, root):
        """Lists and images as published, or ``RACE*.bin``; see the base class."""
        root = find_folder(root, 'test')
        bins = {race: sorted(root.glob(f'{race}*.bin'))[:1] for race in RACES}
        return _from_bins(root, bins) if any(bins.values()) else _from_lists(root)

    def scores(self, embeddings, flipped, benchmark):
        """``PairScores`` by group; see the base class."""
        found = {}
        for name, group in benchmark['groups'].items():
            rows = slice(group['start'], group['start'] + group['images'])
            names = benchmark['names'][rows] if 'names' in benchmark else None
            try:
                found[name] = pair_scores(embeddings[rows], flipped=None if flipped is None else flipped[rows],
                                          rules=self.rules_of(benchmark), names=names)
            except ValueError as error:
                raise ValueError(f'group {name}: {error}') from error
        return found

    def entry(self, scores, benchmark):
        """All groups' numbers and the gap; see the base class."""
        labels = {name: group['issame'] for name, group in benchmark['groups'].items()}
        return groups_entry(scores, labels, self.rules_of(benchmark))

    def sample(self, scores, benchmark):
        """The groups' pairs one behind the other, the best and the worst group held; see the base class.

        The largest minus the smallest of drawn accuracies would lie above the gap in nearly every draw.
        """
        groups, rules = benchmark['groups'], self.rules_of(benchmark)
        parts = {name: resampled_pairs(scores[name], group['issame'], rules) for name, group in groups.items()}
        edges = np.cumsum([len(group['issame']) for group in groups.values()])[:-1]
        known = accuracy_gap({name: hits.mean() for name, (_, hits) in parts.items()})

        def numbers(weights):
            each = {name: part(own) for (name, (part, _)), own in zip(parts.items(), np.split(weights, edges))}
            accuracy = {name: metrics['accuracy']['value'] for name, metrics in each.items()}
            mean = dict(accuracy=dict(value=float(np.mean(list(accuracy.values())))),
                        gap=dict(value=accuracy[known['best']] - accuracy[known['worst']]))
            return dict(metrics=mean, groups={name: dict(metrics=metrics) for name, metrics in each.items()})
        unit, subjects = people_or_pairs(dict(issame=np.concatenate([g['issame'] for g in groups.values()]),
                                              subjects=_people(groups)))
        return Sample(unit, subjects, numbers, ('metrics', 'accuracy'), np.concatenate([p[1] for p in parts.values()]))

    def curves(self, scores, benchmark):
        """Cosines and labels by group; see the base class."""
        return {name: (scores[name].cosine, np.asarray(group['issame'], bool))
                for name, group in benchmark['groups'].items()}

    def image_pairs(self, benchmark):
        """The pairs of all groups, one behind the other; see the base class."""
        groups = benchmark['groups'].values()
        rows = [group['start'] + np.arange(group['images']).reshape(-1, 2) for group in groups]
        return np.concatenate(rows), np.concatenate([group['issame'] for group in groups])


def _people(groups):
    """The people of all groups' pairs, (P, 2), apart even if two groups use one name; None where not known."""
    if any(group.get('subjects') is None for group in groups.values()):
        return None
    return np.concatenate([np.char.add(f'{name}/', np.asarray(group['subjects']).astype(str))
                           for name, group in groups.items()])


def _from_bins(root, bins):
    """Four ``.bin`` files as one benchmark."""
    missing = [race for race, found in bins.items() if not found]
    if missing:
        raise FileNotFoundError(f'no {missing[0]}*.bin in {root.absolute()}, and other groups have one: all four are '
                                'needed for the gap')
    suite = bin_suite({race: found[0] for race, found in bins.items()})
    groups = {race: {key: entry[key] for key in ('start', 'images', 'issame')}
              for race, entry in suite.benchmarks.items()}
    entry = dict(protocol='groups', start=0, images=suite.count, groups=groups, folds=10)
    return Suite(suite.images, {RFW.name: entry})


def _from_lists(root):
    """``txts/RACE/RACE_pairs.txt`` in LFW's format and ``data/RACE``; ``RACE_lmk.txt`` aligns images that are not."""
    names, points, groups, folds = [], [], {}, 10
    for race in RACES:
        path = find_file(root, f'txts/{race}/{race}_pairs.txt', f'{race}_pairs.txt')
        listed, people, issame, folds = read_lfw_pairs(path)
        if len(issame) % folds:
            raise ValueError(f'{path}: {len(issame)} pairs do not make {folds} equal folds: the file is torn')
        groups[race] = dict(start=len(names), images=len(listed), issame=issame, subjects=people)
        names += [f'{race}/{image}' for image in listed]
        points.append(read_landmarks(path.with_name(f'{race}_lmk.txt'), listed))
    landmarks = None if any(group is None for group in points) else np.concatenate(points)
    images = ImageFiles(find_folder(root, 'data'), names, landmarks, crops=True)
    entry = dict(protocol='groups', start=0, images=len(names), groups=groups, names=images.names, folds=folds)
    return Suite(images, {RFW.name: entry})


def read_landmarks(path, names):
    """``RACE_lmk.txt``: path, a number, and x and y of five points, a line an image.

    Args:
        path (Path): The file.
        names (sequence of str): ``PERSON/IMAGE`` of each row, without suffix.

    Returns:
        ndarray (N, 5, 2) or None: None if there is no such file.

    Raises:
        ValueError: If a line has another form, or an image has no line; names it.
    """
    if not path.is_file():
        return None
    rows = read_fields(path, (12,))
    found = {'/'.join(without_suffix(fields[0]).split('/')[-2:]): row for row, (_, fields) in enumerate(rows)}
    missing = [image for image in names if image not in found]
    if missing:
        raise ValueError(f'{path} has no points of {missing[0]}, which the list of pairs names ({len(missing)} such)')
    places = [found[image] for image in names]
    points = numbers_of(rows, slice(2, None), path).reshape(-1, 5, 2)[places]
    bad = np.flatnonzero(~can_align(points))
    if len(bad):
        raise ValueError(f'{path}, line {rows[places[bad[0]]][0]}: {names[bad[0]]} has no five different finite '
                         'points, so that its face cannot be aligned: copy the list again from the set')
    return points
