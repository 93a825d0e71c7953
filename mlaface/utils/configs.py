"""Where the configs are: in the working folder, or those that come with mlaface."""
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def shipped_configs():
    """The folder of the configs that come with mlaface: in an installed package within it, in a checkout beside it."""
    inside = PACKAGE / '.mim' / 'configs'
    return inside if inside.is_dir() else PACKAGE.parent / 'configs'


def find_config(path):
    """The file of a config; ``configs/NAME.py`` that is not in the working folder is the one that comes with mlaface.

    Args:
        path (str | Path): As the user wrote it.

    Returns:
        Path: A file, or ``path`` where there is none.
    """
    path = Path(path)
    if path.parts[:1] != ('configs',) or path.is_file():
        return path
    shipped = shipped_configs().joinpath(*path.parts[1:])
    return shipped if shipped.is_file() else path
