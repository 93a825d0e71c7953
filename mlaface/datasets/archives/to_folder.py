"""A folder an identity, a file an image."""
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

from mlaface.datasets.archives.target import Target
from mlaface.datasets.formats.names import folder_name
from mlaface.utils.errors import InputError

SECONDS = 20  # between two states that are flushed to the disk
TAKEN = re.compile(r'.*\.part|whole|(state|summary)\.json|left_out\.txt', re.IGNORECASE | re.DOTALL)  # in a work folder


class ToFolder(Target):
    """``IDENTITY/IMAGE.jpg``; an identity without an image has an empty folder."""
    layout = 'folder'
    named = True

    def __init__(self, work, classes, **options):
        super().__init__(work, classes, **options)
        twice = next((name for name, count in Counter(classes).items() if count > 1), None)
        if twice is not None:
            raise InputError(f'two classes have the name {twice!r}, and would be one folder: give them other names in '
                             'classes.txt')

    def open(self, state):
        """Begin or go on; names that a file system takes for one are refused before anything is written."""
        self.work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work, prefix='Case', suffix='.part') as folder:
            blind = Path(folder.lower()).exists() and folder.lower() != folder
        if blind:
            seen = {}
            for name in self.classes:
                other = seen.setdefault(name.casefold(), name)
                if other != name:
                    raise InputError(f'{self.work}: {other!r} and {name!r} are one folder here, as this file system '
                                     'does not tell upper from lower case: unpack them elsewhere')

    def write(self, item):
        """Write a file."""
        folder = self.work / _free(item.folder)
        folder.mkdir(exist_ok=True)
        with open(folder / f'{folder_name(item.stem)}{item.ending}', 'wb') as file:
            file.write(item.data)

    def due(self, seconds):
        """They are far between, because all files are flushed for each."""
        return seconds >= SECONDS

    def state(self, durable=True):
        """Flush all files."""
        if durable and hasattr(os, 'sync'):
            os.sync()
        return {}

    def finish(self, labels):
        """Nothing comes last, but folders of identities without an image."""
        self.state()
        for name in self.classes:
            (self.work / _free(folder_name(name))).mkdir(exist_ok=True)
        return {}


def _free(folder):
    """The name of a folder (str); one that something else has in a work folder is spelled so that it is read back."""
    return f'{folder[:-1]}%{ord(folder[-1]):02X}' if TAKEN.fullmatch(folder) else folder
