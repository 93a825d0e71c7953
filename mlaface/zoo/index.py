"""The index of models: ``model-index.yml`` and the metafiles that it imports, in OpenMMLab's form."""
import os
from dataclasses import dataclass, field
from pathlib import Path

from mlaface.evaluation.results.result import file_sha256
from mlaface.utils.errors import InputError
from mlaface.utils.texts import read_text

PACKAGE = Path(__file__).resolve().parents[1]
INDEX = 'model-index.yml'


@dataclass
class Entry:
    """A model of the index.

    Args:
        name (str): By which it is opened.
        folder (Path): Of its metafile.
        config (str or None): The config that trains it, from the root of the package's configs.
        weights (str or None): Address to download from.
        metadata (dict): ``Training Data``, ``License Weights``, ``License Data``, ``File``, ``SHA256``, ``File Size``,
            ``Source``, ``Warning`` and others.
        results (list[dict]): ``Dataset``, ``Metrics``, ``Rules``.
        collection (str or None): The method.
    """
    name: str
    folder: Path
    config: str | None = None
    weights: str | None = None
    metadata: dict = field(default_factory=dict)
    results: list = field(default_factory=list)
    collection: str | None = None

    @property
    def has_weights(self):
        """Whether there is a file to open, here or to download (bool)."""
        return bool(self.weights or self.metadata.get('Source') or self.metadata.get('File'))


def index_file():
    """The index that comes with mlaface: in an installed package within it, in a checkout beside it."""
    inside = PACKAGE / '.mim' / INDEX
    return inside if inside.is_file() else PACKAGE.parent / INDEX


def read_index(path=None):
    """The models of an index.

    Args:
        path (str | Path or None): An index; None reads the one of mlaface, and before it the one that the environment
            variable ``MLAFACE_ZOO`` names.

    Returns:
        dict[str, Entry]: By name.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If a file is not in the form, or two models of one index have one name; names the file.
    """
    own = os.environ.get('MLAFACE_ZOO')
    paths = [path] if path is not None else [index_file(), *([own] if own else [])]
    return {name: entry for path in paths for name, entry in _read(Path(path)).items()}


def entry_of(file):
    """The model of the index that a file is.

    Args:
        file (str | Path | None): A model's file.

    Returns:
        Entry or None: That with its SHA-256; None where no index knows it.
    """
    if file is None:
        return None
    sha256 = file_sha256(file)
    return next((entry for entry in read_index().values() if entry.metadata.get('SHA256') == sha256), None)


def _read(path):
    """One index with what it imports."""
    content, found = _load(path), {}
    files = [path] + [file for pattern in content.get('Import') or [] for file in _imported(path, pattern)]
    for file in files:
        for model in (content if file == path else _load(file)).get('Models') or []:
            entry = _entry(model, file)
            if entry.name in found:
                raise InputError(f'{file}: the model {entry.name!r} is in the index twice')
            found[entry.name] = entry
    return found


def _imported(path, pattern):
    """Files that an index imports by a pattern, from its own folder."""
    try:
        return sorted(path.parent.glob(pattern))
    except (ValueError, NotImplementedError, IndexError, TypeError, AttributeError) as error:
        raise InputError(f'{path}: Import names {pattern!r}, which is no pattern of files from its folder ({error})'
                         ) from error


def _load(path):
    import yaml
    if not path.is_file():
        raise FileNotFoundError(f'no index of models at {path}')
    try:
        content = yaml.load(read_text(path), getattr(yaml, 'CSafeLoader', yaml.SafeLoader))  # ten times as fast
    except InputError:
        raise
    except Exception as error:  # YAMLError, and by its values many others: of a date that is none a ValueError
        raise InputError(f'{path} is not YAML: {(str(error).splitlines() or [type(error).__name__])[0]}') from error
    if not isinstance(content, dict) or not isinstance(content.get('Models') or [], list):
        raise InputError(f'{path} is no index of models: it needs the list Models')
    if not isinstance(content.get('Import') or [], list):
        raise InputError(f'{path}: Import must be a list of files')
    return content


def _entry(model, path):
    if not isinstance(model, dict) or not isinstance(model.get('Name'), str):
        raise InputError(f'{path}: every model needs a Name')
    for key, kind in (('Config', str), ('Weights', str), ('Metadata', dict), ('Results', list)):
        if not isinstance(model.get(key) or kind(), kind):
            raise InputError(f'{path}: {key} of the model {model["Name"]!r} must be a {kind.__name__}')
    return Entry(model['Name'], path.parent, model.get('Config'), model.get('Weights'), model.get('Metadata') or {},
                 model.get('Results') or [], model.get('In Collection'))
