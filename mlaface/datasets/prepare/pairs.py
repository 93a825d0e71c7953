"""Benchmarks of pairs, as LFW has them: folds of disjoint people, half the pairs of one person, groups balanced."""
import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.stores.address import is_address, store_address
from mlaface.datasets.stores.files import read_file
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.files import atomic_path, sweep, sync_folder, temporary_folder

SUFFIXES = {b'\xff\xd8': '.jpg', b'\x89PNG': '.png', b'BM': '.bmp', b'RIFF': '.webp'}  # by how a file begins


class Drawn(NamedTuple):
    """Pairs, fold behind fold; in each fold and group first those of one person.

    Args:
        pairs (ndarray (P, 2)): int64 rows of images.
        issame (ndarray (P,)): bool.
        fold (ndarray (P,)): int64.
        group (ndarray (P,)): Name of the group, '' without groups.
    """
    pairs: np.ndarray
    issame: np.ndarray
    fold: np.ndarray
    group: np.ndarray


def pairs_each(pairs, folds, groups=None):
    """How many pairs of one person, and of two, each fold of each group has (int).

    Args:
        pairs, folds, groups: See ``draw_folds``.

    Raises:
        InputError: If there are fewer than two folds, or no pair for one.
    """
    names = 1 if groups is None else len(set(groups.values()))
    each = pairs // (2 * folds * names) if names else 0
    if folds < 2 or each < 1:
        raise InputError(f'{pairs} pairs in {folds} folds and {names} groups: two folds are needed, and two pairs '
                         'in each fold of each group')
    return each


def draw_folds(labels, pairs=6000, folds=10, groups=None, seed=0, usable=None):
    """Draw pairs whose people stand in one fold only.

    People are dealt to folds by their number of images, so that folds can make equally many pairs. Pairs of one person
    go round the fold's people, so that nobody with many images prevails; those of two people are of one fold and, as in
    RFW (Wang et al. 2019), of one group.

    Args:
        labels (array (N,)): Person of each image.
        pairs (int): In all; each fold and group has as many of one person as of two. Default 6000.
        folds (int): Default 10.
        groups (dict, optional): Name of the group by label; people without one are left out.
        seed (int): Of the draw.
        usable (array bool (N,), optional): Which images may stand in a pair. Default: all.

    Returns:
        Drawn: The pairs.

    Raises:
        InputError: If a fold cannot make its pairs; says which, and how many it can.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed)
    names = [''] if groups is None else sorted(set(groups.values()))
    each = pairs_each(pairs, folds, groups)
    rows = np.arange(len(labels)) if usable is None else np.flatnonzero(usable)
    labels = labels[rows]
    images = {person: rng.permutation(rows[labels == person]) for person in np.unique(labels).tolist()}
    dealt = {name: _dealt([person for person in images if groups is None or groups.get(person) == name], images, folds,
                          rng) for name in names}
    parts = []
    for fold in range(folds):
        for name in names:
            where = f'fold {fold + 1}' + (f' of group {name}' if name else '')
            people = dealt[name][fold]
            same = _same_pairs(people, images, each, rng, where)
            different = _different_pairs(people, images, each, rng, where)
            parts.append((np.concatenate([same, different]), fold, name))
    issame = np.tile(np.repeat([True, False], each), len(parts))
    return Drawn(np.concatenate([part for part, _, _ in parts]), issame,
                 np.repeat([fold for _, fold, _ in parts], 2 * each), np.repeat([name for *_, name in parts], 2 * each))


def _dealt(people, images, folds, rng):
    """People by fold, those with many images first, to and fro, so that folds are alike."""
    people = [people[place] for place in rng.permutation(len(people))]
    people.sort(key=lambda person: -len(images[person]))
    turn = [*range(folds), *reversed(range(folds))]
    return [[person for place, person in enumerate(people) if turn[place % len(turn)] == fold] for fold in range(folds)]


def _same_pairs(people, images, count, rng, where):
    most = sum(len(images[person]) * (len(images[person]) - 1) // 2 for person in people)
    if most < count:
        raise InputError(f'{where} makes {most} pairs of one person, and {count} are wanted: ask for fewer pairs, or '
                         'fewer folds')
    found, waiting = [], [(person, _some_pairs(len(images[person]), count, rng)) for person in people]
    while len(found) < count:
        waiting = [(person, rest) for person, rest in waiting if len(rest)]
        for place, (person, rest) in enumerate(waiting):
            if len(found) < count:
                found.append(images[person][rest[0]])
                waiting[place] = person, rest[1:]
    return np.array(found)


def _some_pairs(images, most, rng):
    """Pairs of a person's images in random order, (P, 2): all, or of many images as many as may be asked for."""
    if images <= 100:
        first, second = np.triu_indices(images, 1)
        order = rng.permutation(len(first))
        return np.stack([first, second], 1)[order]
    total = images * (images - 1) // 2
    number = rng.choice(total, min(most, total), replace=False)  # of a pair, counted by the later of its images
    second = ((1 + np.sqrt(1 + 8.0 * number)) / 2).astype(np.int64)
    second -= second * (second - 1) // 2 > number
    second += second * (second + 1) // 2 <= number
    return np.stack([number - second * (second - 1) // 2, second], 1)


def _different_pairs(people, images, count, rng, where):
    sizes = np.array([len(images[person]) for person in people])
    most = (sizes.sum() ** 2 - (sizes ** 2).sum()) // 2
    if most < 2 * count:
        raise InputError(f'{where} makes {most} pairs of two people, and {count} are wanted with room to draw: ask for '
                         'fewer pairs, or fewer folds')
    found = {}
    while len(found) < count:
        one, other = rng.choice(len(people), 2, replace=False)
        pair = tuple(sorted((int(rng.choice(images[people[one]])), int(rng.choice(images[people[other]])))))
        if pair not in found or len(found) * 2 > most:
            found[pair] = None
    return np.array(list(found))


def write_bins(drawn, dataset, folder, name):
    """Write ``NAME.bin``, or ``GROUP.bin`` for each group, as ``VerificationSets`` and RFW's protocol read them.

    They are written under other names, and renamed when all of them are whole. Those of an earlier draw that have their
    names go before: a group never stands beside one of another draw.

    Args:
        drawn (Drawn): The pairs.
        dataset (FaceDataset): Whose images they are.
        folder (str | Path): Where to.
        name (str): Of the benchmark.

    Returns:
        list[Path]: The files.
    """
    groups = np.unique(drawn.group)
    files, folder = [Path(folder, f'{group or name}.bin') for group in groups], Path(folder).absolute()
    with _work_folder(folder) as work:
        for number, group in enumerate(groups):
            mine = drawn.group == group
            write_bin(work / f'{number}.part', [dataset.encoded(int(row))[1] for row in drawn.pairs[mine].ravel()],
                      drawn.issame[mine])
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.unlink(missing_ok=True)
        for number, file in enumerate(files):
            os.replace(work / f'{number}.part', file)
    sync_folder(folder)
    return files


@contextlib.contextmanager
def _work_folder(folder):
    """A temporary folder (Path) of one file system with a folder (Path, absolute) that need not be there."""
    place = folder if folder.is_dir() else folder.parent
    place.mkdir(parents=True, exist_ok=True)
    for where in (folder, folder.parent):
        sweep(where, folder.name)
    with temporary_folder(place, folder.name) as work:
        yield work


def write_lfw(drawn, dataset, folder, folds):
    """Write ``pairs.txt`` and ``images/NAME/NAME_0001.jpg``, as LFW is distributed and its protocol reads it.

    Images are written to a temporary folder, and put in place when all are there. An earlier list goes before, and
    the new one comes last: a list never stands beside images of another draw, nor beside half of them.

    Args:
        drawn (Drawn): The pairs.
        dataset (FaceDataset): Whose images they are.
        folder (str | Path): Where to; only images that a pair has are written.
        folds (int): For the list's first line.

    Returns:
        Path: The list.

    Raises:
        InputError: If a name cannot stand in the list; nothing is written.
        FormatError, StoreError: If an image cannot be read; nothing is written.
    """
    classes, labels, folder = dataset.metainfo['classes'], np.asarray(dataset.labels), Path(folder).absolute()
    rows = np.unique(drawn.pairs).tolist()
    for label in np.unique(labels[rows]).tolist():
        _check_name(classes[label])
    number, places = {}, {}
    for row in rows:
        places[labels[row]] = number[row] = places.get(labels[row], 0) + 1
    lines = [f'{folds}\t{len(drawn.issame) // (2 * folds)}']
    for (first, second), same in zip(drawn.pairs.tolist(), drawn.issame):
        one, other = classes[labels[first]], classes[labels[second]]
        lines.append(f'{one}\t{number[first]}\t{number[second]}' if same else
                     f'{one}\t{number[first]}\t{other}\t{number[second]}')
    path = folder / 'pairs.txt'
    with _work_folder(folder) as work:
        files = []
        for row in rows:
            data, name = dataset.encoded(row)[1], classes[labels[row]]
            files.append(Path('images', name, f'{name}_{number[row]:04d}{suffix_of(data)}'))
            with atomic_path(work / files[-1]) as temporary:
                temporary.write_bytes(data)
        path.unlink(missing_ok=True)
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            for suffix in {*SUFFIXES.values()} - {file.suffix}:  # of an earlier draw, which would be found as well
                (folder / file).with_suffix(suffix).unlink(missing_ok=True)
            os.replace(work / file, folder / file)
        for name in {file.parent for file in files}:
            sync_folder(folder / name)
    with atomic_path(path) as temporary:
        temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return path


def _check_name(name):
    """``InputError`` unless a person's name (str) can stand in a list of pairs, and be a folder's."""
    if not name.strip() or name in ('.', '..') or any(sign in name for sign in '\t\r\n/'):
        raise InputError(f'the name {name!r} cannot stand in a list of pairs: rename the identity')


def suffix_of(data):
    """The ending that an image's bytes ask for (str)."""
    return next((suffix for start, suffix in SUFFIXES.items() if data.startswith(start)), '.jpg')


def read_groups(path, classes):
    """Group of each identity, from lines ``IDENTITY<tab>GROUP``.

    Args:
        path (str | Path): The file, UTF-8, or its address in a store.
        classes (Sequence[str]): Names in label order.

    Returns:
        dict[int, str]: By label.

    Raises:
        InputError: If a line is no such pair, or none names an identity of the set.
        MissingDataError, StoreError: If a store does not have it, or fails.
    """
    known = {name: label for label, name in enumerate(classes)}
    found = {}
    try:
        lines = read_file(store_address(path) if is_address(path) else path).decode('utf-8-sig').splitlines()
    except MissingDataError as error:
        raise MissingDataError(f'{error}: expected are lines IDENTITY<tab>GROUP') from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{path} cannot be read ({error}): expected are lines IDENTITY<tab>GROUP') from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, tab, group = line.rpartition('\t')
        if not tab or not group.strip() or any(sign in group for sign in '/\\'):
            raise InputError(f'{path}, line {number}: expected is IDENTITY<tab>GROUP, found is {line[:80]!r}')
        if name in known:
            found[known[name]] = group.strip()
    if not found:
        raise InputError(f'{path} names no identity of the set, such as {classes[0]!r}')
    return found
