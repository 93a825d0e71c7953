"""Training, validation and test sets by identity: nobody stands in two of them."""
import hashlib
from pathlib import Path

import numpy as np

from mlaface.utils.errors import InputError


def check_shares(shares):
    """``InputError`` unless shares (dict[str, float]) lie between 0 and 1, and sum to one."""
    if any(not 0 < share < 1 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise InputError(f'shares {", ".join(f"{name} {share:g}" for name, share in shares.items())}: each must lie '
                         'between 0 and 1, and together they must be 1')


def split_identities(classes, labels, shares, seed=0, groups=None):
    """Deal identities to parts.

    Who is dealt where depends on the seed and on names: the order is that of their hashes, so that new people shift the
    borders only.

    Args:
        classes (Sequence[str]): Names, in label order.
        labels (array (N,)): Of the images; classes without any are in no part.
        shares (dict[str, float]): Of the identities, by name of the part; they sum to one.
        seed (int): Of the draw.
        groups (dict[int, str], optional): Group by label, each of which is dealt by itself, so that all groups
            together have the shares too.

    Returns:
        dict[str, ndarray]: Labels of each part, int64, rising.

    Raises:
        InputError: If the shares are none, or a part stays empty.
    """
    check_shares(shares)
    present = np.unique(labels).tolist()
    kinds = {}
    for label in present:
        kinds.setdefault((groups or {}).get(label, ''), []).append(label)
    parts, bounds, dealt = {name: [] for name in shares}, np.cumsum([0, *shares.values()]), 0
    for members in kinds.values():
        members.sort(key=lambda label: hashlib.blake2b(f'{seed}\0{classes[label]}'.encode()).digest())
        dealt += len(members)
        before = np.cumsum([0, *map(len, parts.values())])  # what small groups could not be given goes on to the next
        edges = np.round(bounds * dealt).astype(int) - before
        edges = np.clip(np.maximum.accumulate(edges), 0, len(members))
        for name, start, stop in zip(shares, edges, edges[1:]):
            parts[name] += members[start:stop]
    empty = [name for name, members in parts.items() if not members]
    if empty:
        raise InputError(f'{len(present)} identities leave {", ".join(empty)} empty: take fewer parts or larger shares')
    return {name: np.array(sorted(members), np.int64) for name, members in parts.items()}


def refuse_another_split(folder, remarks):
    """Refuse a folder with lists of another split: with those that are written now, one person would be in two parts.

    Args:
        folder (str | Path): Where the lists are written to; it need not be there.
        remarks (dict[str, str]): What each part is of, by its name; lists begin with it.

    Raises:
        InputError: If a list in it is of another part, set, seed or other shares.
    """
    for file in sorted(Path(folder).glob('*.txt')):
        name = file.stem.removeprefix('exclude_')
        begin = '# all but ' if file.stem != name else '# '
        with open(file, encoding='utf-8', errors='replace') as lines:
            line = lines.readline(10_000).rstrip('\n')
        if line.startswith(f'{begin}{name} of ') and ': seed ' in line and line != begin + remarks.get(name, ''):
            raise InputError(f'{file} is of another split ({line[2:]}), and people would be in two parts: give another '
                             'folder, or remove its lists')
