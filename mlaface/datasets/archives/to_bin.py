"""Verification sets ``NAME.bin``, of sets whose classes are pairs."""
import re

from mlaface.datasets.archives.target import Target
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.utils.errors import InputError

PAIR = re.compile(r'\d+_(same|different)')


def pair_name(number, same):
    """The class (str) that a pair is in other layouts: ``000012_same``, ``000013_different``."""
    return f'{number:06d}_{"same" if same else "different"}'


class ToBin(Target):
    """One file; classes are pairs, of two images each, and their names say whether both show one person."""
    layout = 'bin'
    grouped = True

    def __init__(self, work, classes, **options):
        super().__init__(work, classes, **options)
        wrong = next((name for name in classes if not PAIR.fullmatch(name)), None)
        if wrong is not None:
            raise InputError(f'a .bin holds pairs, and the class {wrong!r} is none, such as {pair_name(12, True)!r}: '
                             'draw pairs by mlaface data pairs')

    def open(self, state):
        """Begin; a benchmark is small, so that it is written in one go."""
        self.images, self.labels = [], []

    def write(self, item):
        """Take an image."""
        self.images.append(item.data)
        self.labels.append(item.label)

    def due(self, seconds):
        """Never."""
        return False

    def settled(self):
        """Never."""
        return False

    def finish(self, labels):
        """Write the file."""
        if self.labels != [number // 2 for number in range(2 * len(self.classes))]:
            raise InputError('a pair has two images, in the order of the pairs; some here have not')
        write_bin(self.work / 'pairs.bin', self.images, [name.endswith('_same') for name in self.classes])
        return dict(pairs=len(self.classes))
