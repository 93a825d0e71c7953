"""What lies in a folder of identities, on a disk or in a store."""
from mlaface.datasets.location import missing_message
from mlaface.datasets.stores.address import StoreAddress, plain_part
from mlaface.datasets.stores.files import local_folder
from mlaface.datasets.stores.listing import list_folder
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.image_files import Listed, image_files, is_image
from mlaface.utils.texts import read_json

SUMMARY = 'summary.json'  # what ``mlaface data`` leaves in a set that it has written


class LocalTree:
    """A folder on a disk; links are followed.

    Args:
        root (Path): The folder.

    Raises:
        MissingDataError: If it is not there.
    """

    odd = 'its name is not UTF-8: rename it'

    def __init__(self, root):
        self.root = root
        if not root.is_dir():
            raise MissingDataError(missing_message(root, 'folder of identities'))

    def level(self, name=''):
        """What is in a folder of it (str), or at its top (``Listed``); ``OSError`` if that cannot be read."""
        return Listed(self.root / name)

    def deeper(self, name, level, endings):
        """Paths (Iterator[str]) of images in the folders of an identity's level; links to folders are not followed."""
        for inner in (self.root / name / inner for inner in level.folders):
            if not inner.is_symlink():
                yield from self._below(inner, endings)

    def images(self, endings):
        """Paths (Iterator[str]) of all images."""
        return self._below(self.root, endings)

    def _below(self, folder, endings):
        return (file.relative_to(self.root).as_posix() for file in image_files(folder, endings))

    def written_here(self):
        """Whether ``mlaface data`` has written it (bool), and its names with it."""
        return _states_a_folder(self.root / SUMMARY)


class Level:
    """What is in a folder of a store; attributes as those of ``Listed``."""

    def __init__(self):
        self.folders, self.files, self.special, self.odd = [], [], [], []

    def sort(self):
        """Put all names in order."""
        for names in (self.folders, self.files):
            names.sort()


class StoredTree:
    """A folder in a store, listed once.

    Args:
        root (StoreAddress): The folder.

    Raises:
        MissingDataError: If there is nothing, or it can neither be listed nor has a list.
        StoreError: If the store fails.
    """

    odd = 'an address cannot hold its name: rename it'

    def __init__(self, root):
        self.root, self.listing = root, list_folder(root)
        self.levels, self.further = {'': Level()}, {}
        for name in self.listing.names.tolist():
            self._add(name.decode())
        for level in self.levels.values():
            level.sort()

    def _add(self, path):
        parts = path.split('/')
        if any(part.startswith('.') for part in parts):
            return
        top = self.levels['']
        folder = parts[0] if len(parts) > 1 else ''
        if folder and folder not in self.levels and _is_plain(folder, self.root):
            self.levels[folder] = Level()
            top.folders.append(folder)
        level = self.levels.get(folder, top)
        if path.endswith('/'):  # what stands for an empty folder
            return
        if not _is_plain(path, self.root):
            level.odd.append(ascii('/'.join(parts[1:]) if level is not top else path)[1:-1])
        elif len(parts) < 3:
            level.files.append(parts[-1])
        else:
            self.further.setdefault(folder, []).append(path)

    def level(self, name=''):
        """What is in a folder of it (str), or at its top (``Level``)."""
        return self.levels[name]

    def deeper(self, name, level, endings):
        """Paths (Iterator[str]) of images in the folders of an identity."""
        return (path for path in self.further.get(name, []) if is_image(path, endings))

    def images(self, endings):
        """Paths (Iterator[str]) of all images."""
        return (path for path in (name.decode() for name in self.listing.names.tolist())
                if is_image(path, endings) and '/.' not in path)

    def written_here(self):
        """Whether ``mlaface data`` has written it (bool), and its names with it."""
        return _states_a_folder(local_folder(self.root, [], [SUMMARY]) / SUMMARY)


def open_tree(root):
    """The tree of a folder at a path or an address."""
    return StoredTree(root) if isinstance(root, StoreAddress) else LocalTree(root)


def _states_a_folder(path):
    try:
        summary = read_json(path)
    except (OSError, InputError):
        return False
    return isinstance(summary, dict) and 'mlaface' in summary and summary.get('layout') == 'folder'


def _is_plain(name, root):
    try:
        return plain_part(name, root) == name
    except InputError:
        return False
