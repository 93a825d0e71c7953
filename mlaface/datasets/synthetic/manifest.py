"""The file that tells of a folder what was drawn there, and whether it is whole."""
import json
from dataclasses import asdict
from pathlib import Path

from mlaface.datasets.synthetic.nuisance import BENCHMARKS
from mlaface.utils.files import atomic_path

VERSIONS = dict(flat=1, heads=2)  # of the drawing: raise one when the same seed gives other images
MANIFEST = 'synthetic.json'
FILES = ('train.rec', 'train.idx', 'property', 'classes.txt', *(f'{name}.bin' for name in BENCHMARKS))


def finished(folder, recipe):
    """Whether a folder holds the whole set of a recipe.

    Args:
        folder (str | Path): The folder; it need not be there.
        recipe (Recipe): What is wanted.

    Returns:
        bool: False if nothing is there, or a set that is not whole.

    Raises:
        ValueError: If it holds that of another recipe, or its manifest is none.
    """
    path = Path(folder) / MANIFEST
    if not path.exists():
        return False
    try:
        manifest = json.loads(path.read_text())
        found, files = manifest['recipe'], manifest['files']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is not the manifest of a drawn set ({error}): remove it') from error
    if found != _named(recipe):
        raise ValueError(f'{folder} holds a set of another recipe ({found}, wanted is {_named(recipe)}): write to '
                         'another folder, or replace it with --overwrite')
    return bool(files) and all((Path(folder) / name).is_file() and (Path(folder) / name).stat().st_size == size
                               for name, size in files.items())


def _named(recipe):
    """A recipe as manifests have it; the first generation, which had no name, is written without one."""
    named = dict(asdict(recipe), version=VERSIONS[recipe.style])
    if recipe.style == 'flat':
        del named['style']
    return named


def claim(folder, recipe):
    """Mark a folder as ours before anything is written, and remove what a killed run has left there.

    Args:
        folder (Path): The folder; it is made.
        recipe (Recipe): What is about to be drawn.

    Raises:
        ValueError: If it holds a set that was not drawn.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there and not (folder / MANIFEST).exists():
        raise ValueError(f'{folder} holds {", ".join(there)}, which were not drawn: write to another folder')
    for name in FILES:
        for part in folder.glob(f'.{name}.*.part'):
            part.unlink()
    _write_manifest(folder, recipe, {})


def complete(folder, recipe):
    """Mark a folder as holding the whole set of a recipe; its files are there."""
    _write_manifest(folder, recipe, {name: (folder / name).stat().st_size for name in FILES})


def _write_manifest(folder, recipe, files):
    with atomic_path(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(dict(recipe=_named(recipe), files=files), indent=2) + '\n')
