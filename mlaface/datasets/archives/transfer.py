"""Images of a set, in an order, checked, into a target: by threads that work ahead, and again from where it stopped."""
import json
import math
import time
import zlib
from collections import Counter
from functools import partial

import numpy as np

from mlaface.datasets.archives.examine import LeftOutError, examine
from mlaface.datasets.archives.growing_file import GrowingFile
from mlaface.datasets.archives.place import WHOLE
from mlaface.datasets.archives.target import Item
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.names import folder_name
from mlaface.datasets.key_lists import remarks, spell, stamped
from mlaface.utils.ahead import map_ahead
from mlaface.utils.errors import FULL, FullDiskError, InputError
from mlaface.utils.files import atomic_path
from mlaface.version import __version__

CHUNK = 32  # images a task of a thread
SECONDS = 0.02  # between two states that are not flushed to the disk, each of 45 microseconds
LEFT_OUT, SUMMARY, RECIPE, LABELS = 'left_out.txt', 'summary.json', 'recipe.part', 'labels.part'


def order_of(labels, grouped, shuffle=None):
    """The order that images are written in.

    Args:
        labels (ndarray): Classes, int (N,).
        grouped (bool): Class by class.
        shuffle (int, optional): Seed of a permutation, which comes in place of that.

    Returns:
        ndarray: Indices, (N,).
    """
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(len(labels))
        return order.astype(np.int32) if len(labels) < 1 << 31 else order
    return np.argsort(labels, kind='stable') if grouped else np.arange(len(labels))


def names_anew(source):
    """Other names for images whose class and name are those of an image before them, by index."""
    labels = source.labels.tolist()
    hashes = np.fromiter((hash((label, source.name(index))) for index, label in enumerate(labels)), np.int64,
                         len(labels))
    ordered = np.sort(hashes)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    seen, found = set(), []
    for index in np.flatnonzero(np.isin(hashes, repeated)).tolist():  # of millions the few that may be alike
        named = labels[index], source.name(index)
        if named in seen:
            found.append(index)
        seen.add(named)
    return _unused(source, labels, found)


def _unused(source, labels, again):
    """``NAME~INDEX`` for each of some images, with more marks where its class has such a name."""
    classes = {labels[index] for index in again}
    taken = {(label, source.name(index)) for index, label in enumerate(labels) if label in classes} if again else set()
    names = {}
    for index in again:
        name = f'{source.name(index)}~{index}'
        while (labels[index], name) in taken:
            name += '~'
        taken.add((labels[index], name))
        names[index] = name
    return names


def read_images(source, rules, names, indices):
    """What becomes of images: (index, name, ending, further labels, bytes), or (index, None, kind, fault, None).

    ``names`` (dict) are those that some have instead of their own.
    """
    found = []
    if source.remote:
        source.expect(indices)
    for index in indices:
        try:
            data, ending = examine(source.encoded(index)[1], rules)
            found.append((index, names.get(index) or source.name(index), ending, source.further_labels(index), data))
        except LeftOutError as error:
            found.append((index, None, *error.args, None))
        except FormatError as error:
            found.append((index, None, 'unreadable', str(error), None))
    return found


def ahead(work, order, workers):
    """Outcomes in order, of chunks that threads work on ahead; one worker is the caller's thread."""
    chunks = (order[start:start + CHUNK].tolist() for start in range(0, len(order), CHUNK))
    for outcomes in map_ahead(work, chunks, workers if workers > 1 else 0, 4 * workers):
        yield from outcomes


def _check_recipe(path, recipe):
    if path.is_file():
        found = json.loads(path.read_bytes())
        odd = [key for key in recipe if found.get(key) != recipe[key]]
        if odd:
            raise InputError(f'{path.parent} was begun with another {", ".join(odd)}: give the same command again, or '
                             'remove it')
    else:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(recipe))


def recipe_of(source, order, target, rules, what):
    """What two calls must agree in so that one goes on where the other stopped (dict of plain values)."""
    some = np.linspace(0, len(source) - 1, min(len(source), 1000)).astype(int).tolist()
    keys = '\n'.join(map(source.key, some)).encode('utf-8', 'surrogatepass')
    return dict(source=what, images=len(source), keys=zlib.crc32(keys), labels=zlib.crc32(np.ascontiguousarray(
        source.labels)), order=zlib.crc32(np.ascontiguousarray(order, np.int64)), layout=type(target).__name__,
        options=json.loads(json.dumps({key: value for key, value in vars(target).items() if isinstance(
            value, (bool, int, tuple))})), rules=list(json.loads(json.dumps(rules))))


class Transfer:
    """Images of a set into a target.

    Args:
        source (FaceDataset): The set, with labels and ``metainfo['classes']``.
        target (Target): Where to; its work folder is claimed (``place.py``).
        order (ndarray): Indices of the source, in the order that they are written in.
        rules (Rules): What an image must be.
        workers (int): Threads that read and check.
        what (str): Name of the source, for the summary.
        folder (str | Path): Where the source lies.

    Attributes:
        outcomes (callable): Given a position in the order, gives what ``read_images`` gives of all from there on.
    """

    def __init__(self, source, target, order, rules, workers, what, folder=None):
        self.source, self.target, self.order, self.rules = source, target, order, rules
        self.workers, self.what, self.work = workers, what, target.work
        self.folder, self.outcomes = folder or what, self._outcomes
        self.position = self.written = 0
        self.folders = [folder_name(name) for name in target.classes]

    def run(self, advance=lambda position: None):
        """Write what is not written yet.

        Args:
            advance (callable): Told the images that are behind it.

        Returns:
            dict: The summary, which is in ``summary.json`` too.

        Raises:
            InputError: If it was begun with other settings, or no image is left.
            FullDiskError: If the disk takes no more; what is written stays, and the same call goes on.
        """
        if (self.work / WHOLE).exists():
            return json.loads((self.work / SUMMARY).read_bytes())
        _check_recipe(self.work / RECIPE, recipe_of(self.source, self.order, self.target, self.rules, self.what))
        try:
            self._open()
            self._write(advance)
            return self._finish()
        except OSError as error:
            if error.errno in FULL:
                raise FullDiskError(f'{self.work}: the disk takes no more ({error.strerror}). {self.position} of '
                                    f'{len(self.order)} images are behind it; make room, and the same command goes on'
                                    ) from error
            raise
        finally:
            self.target.close()

    def _open(self):
        state = self.target.load() or dict(position=0, written=0, files={}, target=None)
        self.position, self.written = state['position'], state['written']
        self.labels = GrowingFile(self.work / LABELS, state['files'].get(LABELS, 0))
        self.left_out = GrowingFile(self.work / LEFT_OUT, state['files'].get(LEFT_OUT, 0))
        if not state['files']:
            for key, kind, why in self.source.passed_over:
                self._leave_out(key, kind, why)
        self.target.open(state['target'])

    def _outcomes(self, position):
        """By threads of this process."""
        names = names_anew(self.source) if self.target.named else {}
        return ahead(partial(read_images, self.source, self.rules, names), self.order[position:], self.workers)

    def _write(self, advance):
        outcomes = self.outcomes(self.position)
        kept = noted = time.monotonic()
        advance(self.position)
        for index, name, ending, further, data in outcomes:
            if name is None:
                self._leave_out(self.source.key(index), ending, further)
            else:
                label = int(self.source.labels[index])
                self.target.write(Item(self.written, label, self.folders[label], name, ending, tuple(further), data))
                self.labels.write(label.to_bytes(4, 'little'))
                self.written += 1
            self.position += 1
            now = time.monotonic()
            if self.target.due(now - kept):
                self._keep()
                kept = noted = time.monotonic()
            elif now - noted >= SECONDS and self.target.settled():
                self._keep(durable=False)
                noted = time.monotonic()
            if self.position % CHUNK == 0:
                advance(self.position)
        if self.target.due(math.inf):
            self._keep()
        advance(self.position)

    def _leave_out(self, key, kind, why):
        """Note an image that is left out, and the kind of its fault."""
        text = f'{spell(key)}\t# {" ".join(f"{kind}: {why}".split())}\n'
        if not self.left_out.size:
            text = remarks(stamped(f'images of {self.what} that were left out', self.what, self.source)) + text
        self.left_out.write(text.encode('utf-8', 'surrogateescape'))

    def _keep(self, durable=True):
        """Keep a state from which writing can go on: whatever happens, or not ``durable`` after a kill alone."""
        target = self.target.state(durable)
        files = {LABELS: self.labels.sync(durable), LEFT_OUT: self.left_out.sync(durable)}
        keep = self.target.save if durable else self.target.note
        keep(dict(position=self.position, written=self.written, files=files, target=target))

    def _finish(self):
        if not self.written:
            raise InputError(f'{self.what}: none of its {len(self.order)} images can be used; '
                             f'{self.work / LEFT_OUT} says why')
        self.labels.sync()
        self.left_out.sync()
        labels = np.fromfile(self.labels.path, '<i4')
        layout = self.target.finish(labels)
        self.target.close()
        reasons = Counter(line.partition('\t# ')[2].partition(':')[0]
                          for line in self.left_out.path.read_text('utf-8', 'surrogateescape').split('\n')
                          if line and not line.startswith('#'))
        counts = np.bincount(labels, minlength=len(self.target.classes))
        summary = dict(schema=1, mlaface=__version__, source=self.what, layout=self.target.layout,
                       images=self.written, classes=len(self.target.classes), empty_classes=int((counts == 0).sum()),
                       left_out=dict(sorted(reasons.items())), **layout)
        self.labels.close()
        self.left_out.close()
        if not self.left_out.size:
            self.left_out.path.unlink()
        with atomic_path(self.work / SUMMARY) as temporary:
            temporary.write_text(json.dumps(summary, indent=1) + '\n')
        (self.work / WHOLE).touch()
        return summary
