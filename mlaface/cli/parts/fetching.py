"""Models fetched with a progress bar."""
import shutil
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from mlaface.utils.errors import UnknownNameError
from mlaface.utils.files import atomic_path
from mlaface.zoo.locate import find_model


def fetched(name, dest=None):
    """The file of a model of the index or the hub.

    Args:
        name (str): Name, or ``hf://OWNER/NAME``.
        dest (str or None): A folder to copy it to.

    Returns:
        Path: The copy, or the file in the cache.

    Raises:
        UserError: If there is no such model or it cannot be had.
    """
    columns = (TextColumn('{task.description}'), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        found = find_model(name, lambda have, total: bar.update(task, completed=have, total=total))
    if not isinstance(found, Path):
        raise UnknownNameError(f'{name} is no name of the index: mlaface models lists them')
    if dest is None:
        return found
    copy = Path(dest, found.name)
    if not (copy.exists() and copy.samefile(found)):
        with atomic_path(copy) as temporary:
            shutil.copyfile(found, temporary)
    return copy
