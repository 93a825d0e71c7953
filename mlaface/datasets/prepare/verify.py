"""Is a record file whole, and does its index fit?"""
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.record_index import read_index, rebuild_index
from mlaface.datasets.formats.recordio import RecordReader
from mlaface.utils.files import atomic_path, sweep


def verify_records(path, advance=lambda offset: None, kept=None):
    """Read every record of a file and follow every line of its index.

    Args:
        path (str | Path): The ``.rec`` file; an ``.idx`` of the same name is checked if it is there.
        advance (callable): Told the byte that the scan has reached, again and again.
        kept (KeptSteps, optional): Of an earlier call; what is reached is a byte.

    Returns:
        tuple[ndarray, list[str]]: Offsets of the whole records, int64 (R,), and what is wrong.

    Raises:
        FileNotFoundError: If the file is not there.
    """
    offsets, faults = rebuild_index(RecordReader(path), on_fault='skip', advance=advance, kept=kept)
    index = Path(path).with_suffix('.idx')
    if index.exists():
        try:
            keys, places = read_index(index)
        except FormatError as error:
            return offsets, [*faults, str(error)]
        astray = ~np.isin(places, offsets)
        faults += [f'{index}: key {key} points to byte {place}, where no whole record starts'
                   for key, place in zip(keys[astray], places[astray])]
    return offsets, faults


def write_index(path, offsets, index_path):
    """Write an index of whole records.

    They keep the keys that the ``.idx`` beside the file gives them, since the header of a training set counts by keys;
    if there is none that fits, they are numbered.

    Args:
        path (str | Path): The ``.rec`` file.
        offsets (ndarray): Of its whole records, (R,).
        index_path (str | Path): The file to write.

    Returns:
        int: Records in the index.
    """
    keys = np.arange(len(offsets))
    try:
        known, places = read_index(Path(path).with_suffix('.idx'))
        whole = np.isin(places, offsets)
        if whole.any():
            keys, offsets = known[whole], places[whole]
    except (FileNotFoundError, FormatError):
        pass
    with atomic_path(index_path, renew=False) as temporary, open(temporary, 'w', newline='\n') as file:
        file.writelines(f'{key}\t{offset}\n' for key, offset in zip(keys.tolist(), offsets.tolist()))
    sweep(Path(index_path).parent, Path(index_path).name)
    return len(keys)
