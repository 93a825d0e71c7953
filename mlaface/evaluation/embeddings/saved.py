"""Precomputed embeddings of pairs in an ``.npz`` file: read as a suite, and written by ``--save-embeddings``."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.functional.checks import check_pairs
from mlaface.evaluation.suite import Suite
from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path

DIMENSIONS = dict(embeddings=(2,), flipped=(2,), issame=(1,), names=(1,), subjects=(1, 2), groups=(1,))


def embeddings_suite(path):
    """The suite of precomputed embeddings of pairs.

    Args:
        path (str): ``.npz`` with ``embeddings`` (2P, D), ``issame`` (P,), and optionally ``flipped`` (2P, D),
            ``names`` (2P,) of the images, ``subjects`` (P, 2) or (P,), the people of the pairs, and ``groups`` (P,),
            the group of each pair, which are then evaluated apart as RFW's are.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, something is missing in it, or counts do not fit.
    """
    arrays = read_arrays(path)
    lacking = {'embeddings', 'issame'} - set(arrays)
    if lacking:
        raise ValueError(f'{path} lacks {", ".join(sorted(lacking))}; it holds {", ".join(arrays) or "nothing"}')
    for key, array in arrays.items():
        if array.ndim not in DIMENSIONS.get(key, (array.ndim,)):
            raise InputError(f'{path}: {key} has the shape {array.shape}, and must have '
                             f'{" or ".join(map(str, DIMENSIONS[key]))} dimensions')
    embeddings, flipped = arrays['embeddings'], arrays.get('flipped')
    entry = dict(protocol='pairs', start=0, images=len(embeddings), issame=arrays['issame'])
    if 'names' in arrays:
        entry['names'] = arrays['names'].tolist()
    if 'subjects' in arrays:
        entry['subjects'] = arrays['subjects']
    if 'groups' in arrays:
        check_pairs(embeddings, entry['issame'], flipped, entry.get('names'))
        entry, rows = by_group(entry, arrays['groups'])
        embeddings, flipped = embeddings[rows], None if flipped is None else flipped[rows]
    return Suite(None, {Path(path).stem: entry}, embeddings, flipped)


def by_group(benchmark, groups):
    """A pairs benchmark as one of groups, each group's pairs in the list's order.

    Args:
        benchmark (dict): Its entry in a suite.
        groups (array (P,)): Name of each pair's group.

    Returns:
        tuple: The entry of protocol ``groups``, and the rows of images (2P,) in its order.

    Raises:
        ValueError: If there are groups of another number of pairs, or people.
    """
    pairs, groups = len(benchmark['issame']), np.asarray(groups)
    for key, values in (('groups', groups), ('subjects', benchmark.get('subjects'))):
        if values is not None and len(values) != pairs:
            raise ValueError(f'{key} must hold one row for each of the {pairs} pairs; got shape {values.shape}')
    order, found, start = np.argsort(groups, kind='stable'), {}, 0
    for name in np.unique(groups):
        mine = order[groups[order] == name]
        found[str(name)] = dict(start=start, images=2 * len(mine), issame=benchmark['issame'][mine])
        if benchmark.get('subjects') is not None:
            found[str(name)]['subjects'] = benchmark['subjects'][mine]
        start += 2 * len(mine)
    rows = (2 * order[:, None] + (0, 1)).ravel()
    entry = dict(protocol='groups', start=0, images=2 * pairs, groups=found)
    if 'names' in benchmark:
        entry['names'] = [benchmark['names'][row] for row in rows]
    return entry, rows


def read_arrays(path):
    """The arrays of an ``.npz`` file, by name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read without running code; names it.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no embeddings at {path}: write them with mlaface test ... --save-embeddings FILE')
    try:
        stored = np.load(path, allow_pickle=False)
        if not hasattr(stored, 'files'):
            raise InputError('it is a single array, such as np.save writes')
        with stored:
            arrays = {key: stored[key] for key in stored.files}
        foreign = [key for key, array in arrays.items() if not isinstance(array, np.ndarray)]
        if foreign:
            raise InputError(f'{foreign[0]} is no array')
    except Exception as error:  # of many classes, by what the bytes happen to say
        raise InputError(f'{path} cannot be read as an .npz archive of plain arrays: {error}') from error
    return arrays


def check_savable(suite):
    """Refuse to save embeddings of anything but one benchmark of pairs, before any work is done.

    Raises:
        ValueError: If there are several benchmarks, or it is none of pairs.
    """
    if [benchmark['protocol'] for benchmark in suite.benchmarks.values()] not in (['pairs'], ['groups']):
        raise ValueError(f'--save-embeddings writes one pairs benchmark, and {", ".join(suite.benchmarks)} are to be '
                         'evaluated')


def save_embeddings(evaluation, path):
    """Write the embeddings of the only benchmark for ``--embeddings``."""
    name, = evaluation.suite.benchmarks
    embeddings, flipped = evaluation.part(name)
    benchmark = evaluation.suite.benchmarks[name]
    arrays = dict(embeddings=embeddings, flipped=flipped, names=benchmark.get('names'), **_labels(benchmark))
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        np.savez(file, **{key: values for key, values in arrays.items() if values is not None})


def _labels(benchmark):
    """``issame``, ``subjects`` and ``groups`` of all pairs, None where not known."""
    if benchmark['protocol'] == 'pairs':
        return dict(issame=np.asarray(benchmark['issame'], bool), subjects=benchmark.get('subjects'))
    parts = benchmark['groups']
    subjects = [group.get('subjects') for group in parts.values()]
    return dict(issame=np.concatenate([group['issame'] for group in parts.values()]),
                groups=np.repeat(list(parts), [len(group['issame']) for group in parts.values()]),
                subjects=None if any(each is None for each in subjects) else np.concatenate(subjects))
