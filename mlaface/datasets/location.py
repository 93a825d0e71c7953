"""Where data lies: paths relative to ``MLAFACE_DATA``, and how to get a published set that is not there."""
import difflib
import os
from pathlib import Path

from mlaface.datasets.stores.address import StoreAddress, is_address, store_address

TRAINING = ('fetch it from the InsightFace data set zoo (github.com/deepinsight/insightface, recognition/_datasets_; '
            'for research only) and unpack {folder} so that train.rec, train.idx and property lie in it')
PAIRS = ('fetch it with one of the training sets of the InsightFace data set zoo '
         '(github.com/deepinsight/insightface, recognition/_datasets_), whose folders hold the usual .bin files')
WITHDRAWN = ('its owners no longer give it out (docs/data.md): put a copy that you may use, aligned and as train.rec, '
             'train.idx and property, into {folder}')
REQUESTED = ('ask for it at face-benchmark.org (the form of WebFace260M; for research only) and pack its parts by '
             'mlaface data convert PARTS {folder} --to records --shuffle 0')
SHOWN = 8  # names of a folder
HINTS = {
    **dict.fromkeys(['webface4m', 'webface12m', 'webface42m'], REQUESTED),
    **dict.fromkeys(['ms1mv2', 'ms1mv3', 'glint360k', 'casia', 'webface', 'faces_emore', 'ms1m-retinaface-t1'],
                    TRAINING),
    **dict.fromkeys(['lfw', 'cfp_fp', 'cfp_ff', 'agedb_30', 'calfw', 'cplfw', 'vgg2_fp', 'verification'], PAIRS),
    **dict.fromkeys(['vgg2', 'ms_celeb_1m'], WITHDRAWN),
    'synthetic': 'make it: mlaface make-synthetic --out {folder}',
    'drawn': 'make it: mlaface make-synthetic --out {folder} --identities 2000 '
             '--images-per-identity 20 --seed 1',
    'heads': 'make it: mlaface make-synthetic --style heads --out {folder} --identities 4000 '
             '--images-per-identity 12 --seed 1',
}


def data_home():
    """Folder that relative data paths start from: ``MLAFACE_DATA``, default ``data``."""
    return Path(os.environ.get('MLAFACE_DATA') or 'data')


def resolve_data(path):
    """Resolve a data path.

    Args:
        path (str | Path | dict): Absolute, or relative to ``MLAFACE_DATA`` (default ``data``); or an address in a store
            (``stores/address.py``).

    Returns:
        Path | StoreAddress: Where it is; whether it exists is not checked.

    Raises:
        InputError: If it is no address that is read.
    """
    if is_address(path):
        return store_address(path)
    return data_home() / Path(path).expanduser()


def absolute(path):
    """A path as another process finds it (str); an address in a store as it is."""
    return str(path) if is_address(path) else os.path.abspath(path)


def missing_message(path, what):
    """Say where data was looked for, what is there instead, and how to get it.

    Args:
        path (Path | StoreAddress): The file or folder that is not there.
        what (str): What it would be, as ``'training set'``.

    Returns:
        str: The message.
    """
    if isinstance(path, StoreAddress):
        return f'no {what} at {path}'
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    home = os.environ.get('MLAFACE_DATA')
    absolutely = '' if path.is_absolute() else f'looked for in {path.absolute()}; '
    there = _nearest_in(folder, path.relative_to(folder).parts[0])
    return (f'no {what} at {path} ({absolutely}{folder.absolute()} holds {there}). '
            f'{_hint(path)} Relative paths start from the environment variable MLAFACE_DATA '
            f'({"is " + home if home else "not set: data"}).')


def _nearest_in(folder, wanted):
    """What a folder holds, the likest names first (str); the rest of many is counted."""
    names = [path.name for path in folder.iterdir() if not path.name.startswith('.')]
    shown = difflib.get_close_matches(wanted, sorted(names), n=SHOWN, cutoff=0.0)
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(shown) + more or 'nothing'


def _hint(path):
    folder = path.parent if path.suffix else path
    for name in (path.stem.lower(), folder.name.lower()):
        if name in HINTS:
            return f'How to get {name}: {HINTS[name].format(folder=folder)}.'
    return 'Put it there, or set data_root in the config.'
