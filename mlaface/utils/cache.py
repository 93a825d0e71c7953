"""Where files lie that were downloaded or made of others, and can be made again."""
import os
from pathlib import Path


def cache_folder(*parts):
    """A folder of the cache, made if it is not there.

    Args:
        *parts (str): Folders below it.

    Returns:
        Path: Below the environment variable ``MLAFACE_CACHE``, by default ``$XDG_CACHE_HOME/mlaface`` or
        ``~/.cache/mlaface``.
    """
    base = os.environ.get('MLAFACE_CACHE')
    if not base:
        base = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache', 'mlaface')
    folder = Path(base, *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
