"""From what a user names as a model to its file."""
from importlib import import_module
from pathlib import Path

from mlaface.utils.cache import cache_folder
from mlaface.utils.errors import InputError, MissingDataError, UnknownNameError
from mlaface.zoo.index import PACKAGE, read_index

WHEELS = dict(sface='mlaface.zoo.wheel_files:sface_file')  # models that lie in the wheel of another project


def find_model(name, progress=None):
    """The file of a model.

    Args:
        name (str | Path): A file, a name of the index, or ``hf://OWNER/NAME``; anything else that a kind of network
            may take, such as ``module:function``.
        progress (callable or None): As in ``download``.

    Returns:
        Path or object: The file of a model of the index or the hub, in the cache or the package; anything else as it
        came.

    Raises:
        UnknownNameError: If it looks like a name of the index and is none; names the nearest.
        UserError: If its file cannot be had; see ``zoo.download``.
    """
    text = str(name)
    if text.startswith('hf://'):
        from mlaface.zoo.hub import hub_file  # the network's modules are no part of the start of every command
        return hub_file(text, progress)
    if '/' in text or ':' in text or Path(text).exists():
        return name
    models = read_index()
    if text in models and models[text].has_weights:
        return entry_file(models[text], progress)
    if Path(text).suffix:
        return name
    raise UnknownNameError(_unknown(text, models))


def _unknown(name, models):
    from mlaface.registry import nearest
    named = [key for key, entry in models.items() if entry.has_weights]
    if name in models:
        return (f'the model {name!r} has no weights yet: train it, mlaface train {models[name].config}. With weights '
                f'there are: {", ".join(named)}')
    close = nearest(name, named)
    hint = f'; did you mean {close!r}?' if close else '.'
    return f'no model at {name}, and none of this name in the index{hint} There are: {", ".join(named)}'


def entry_file(entry, progress=None):
    """The file of a model of the index: from a wheel, beside the index, in the package, or downloaded.

    Args:
        entry (Entry): As ``read_index`` gives.
        progress (callable or None): As in ``download``.

    Returns:
        Path: The file.

    Raises:
        UserError: If it cannot be had.
    """
    if entry.metadata.get('Source') == 'wheel':
        if entry.name not in WHEELS:
            raise InputError(f'mlaface knows no wheel that holds {entry.name}, only those of {", ".join(WHEELS)}')
        module, _, function = WHEELS[entry.name].partition(':')
        return getattr(import_module(module), function)()
    if entry.metadata.get('File') and (found := _lying(entry)):
        return found
    from mlaface.zoo.mirror import fetch
    sha256 = str(entry.metadata.get('SHA256') or '')
    if not sha256:
        raise InputError(f'the index names no SHA256 of {entry.name}: what is downloaded could not be checked')
    path = cache_folder('zoo') / Path(entry.weights).name
    return fetch(entry.weights, path, sha256, entry.metadata.get('File Size'), progress=progress)


def _lying(entry):
    """The file beside the index or in the package; None if it is not there and can be downloaded."""
    file = str(entry.metadata['File'])
    places = [folder / Path(file).name for folder in (entry.folder, PACKAGE / 'zoo' / 'weights')]
    for place in places:
        if place.is_file():
            return place
    if entry.weights:
        return None
    raise MissingDataError(f'the file of {entry.name} is not there: {" and ".join(map(str, places))} were looked for')
