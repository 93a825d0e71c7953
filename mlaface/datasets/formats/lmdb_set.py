"""LMDB: a folder with ``data.mdb``, whose values are the encoded images as they are.

Keys are ``NUMBER/IDENTITY/IMAGE.jpg``, numbers of nine digits from 0 on, so that an image is found by its place and
any reader can tell whose it is; ``classes.txt`` lies beside. Two entries behind them, ``__labels__`` (int32) and
``__meta__`` (JSON), spare reading all keys when a set is opened. Without those, keys are ``.../IDENTITY/IMAGE``.

A key longer than LMDB takes is stored shortened, with a hash of the whole one; ``__names__`` (JSON), if there, has the
whole ones by their numbers.
"""
import json
import os
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np

from mlaface.datasets.formats.archive import Archive, Numbering, key_hash, read_classes
from mlaface.datasets.formats.errors import FormatError
from mlaface.utils.packages import import_optional

META, LABELS, FURTHER, NAMES = b'__meta__', b'__labels__', b'__further__', b'__names__'
LONGEST = 511  # bytes of a key that LMDB takes
PART = 200  # and of the identity, or of the image, in one that is shortened
_environments = WeakValueDictionary()


def lmdb():
    """The package; ``MissingPackageError`` says how to get it."""
    return import_optional('lmdb', 'an LMDB file')


def open_environment(path):
    """An LMDB environment to read from, without a lock: what is packed is never changed.

    All data sets of a process share one for a file, as LMDB asks; it is closed with the last of them. A forked process
    opens its own.
    """
    library, path = lmdb(), Path(path)
    name = os.path.realpath(path)
    if name in _environments:
        return _environments[name]
    try:
        environment = library.open(str(path), readonly=True, lock=False, readahead=False, max_dbs=0,
                                   subdir=path.is_dir(), create=False)
    except library.Error as error:
        raise FormatError(f'{path} is no LMDB file that can be read: {error}') from error
    needed = (environment.info()['last_pgno'] + 1) * environment.stat()['psize']
    size = (path / 'data.mdb' if path.is_dir() else path).stat().st_size
    if size < needed:  # a page behind the end would end the process
        environment.close()
        raise FormatError(f'{path}: data.mdb is cut off: it has {size} bytes of {needed}')
    _environments[name] = environment
    return environment


def _close_inherited():
    """LMDB opens no file a second time while an environment that a fork inherited is open: a data set may hold one."""
    for environment in list(_environments.values()):
        environment.close()
    _environments.clear()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_close_inherited)


def stored_key(key):
    """A key as LMDB takes it.

    Args:
        key (str): ``NUMBER/IDENTITY/IMAGE.jpg``, in which only the ending is known to be short.

    Returns:
        bytes: At most 511; identity and image that are cut end in ``~`` and 16 digits of a hash of the whole.
    """
    plain = key.encode('utf-8', 'surrogateescape')
    if len(plain) <= LONGEST:
        return plain
    number, folder, image = key.split('/')
    stem, dot, ending = image.rpartition('.')
    stem, ending = (stem, dot + ending) if dot and len(ending) < 8 else (image, '')
    return f'{number}/{_shortened(folder)}/{_shortened(stem)}{ending}'.encode('utf-8', 'surrogateescape')


def _shortened(name):
    plain = name.encode('utf-8', 'surrogateescape')
    return name if len(plain) <= PART else f'{plain[:PART].decode("utf-8", "ignore")}~{key_hash(name):016x}'


class LmdbSet(Archive):
    """Images of an LMDB folder.

    Args:
        path (str | Path): Folder with ``data.mdb``, or an LMDB file.

    Raises:
        FileNotFoundError: If it is not there.
        FormatError: If it is no LMDB file, or its keys name no identities.
    """

    def __init__(self, path):
        path = Path(path)
        if not (path / 'data.mdb' if path.is_dir() else path).is_file():
            raise FileNotFoundError(f'no data.mdb in {path}')
        self.keys, self.names, further = None, {}, None
        environment = open_environment(path)
        with environment.begin() as transaction:
            meta, labels = transaction.get(META), transaction.get(LABELS)
            if meta is None or labels is None:
                self.keys, labels, classes = self._foreign(path, transaction)
            else:
                labels, further, classes = self._own(path, meta, labels, transaction.get(FURTHER))
                self.names = self._whole(path, transaction.get(NAMES))
        super().__init__(path, labels, classes, further)

    @staticmethod
    def _own(path, meta, labels, further):
        try:
            count = int(json.loads(meta)['images'])
            table = np.frombuffer(labels, '<i4').astype(np.int32)
            further = None if further is None else np.frombuffer(further, '<f4').reshape(count, -1)
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f'{path}: its entry {META.decode()} is damaged ({error})') from error
        if count != len(table) or len(table) and table.min() < 0:
            raise FormatError(f'{path}: {len(table)} labels of {count} images')
        return table, further, read_classes(path if path.is_dir() else path.parent, table)

    @staticmethod
    def _whole(path, names):
        """Whole keys by place (dict[int, str]) of those that were stored shortened."""
        try:
            return {int(place): str(key) for place, key in json.loads(names or b'{}').items()}
        except (ValueError, AttributeError) as error:
            raise FormatError(f'{path}: its entry {NAMES.decode()} is damaged ({error})') from error

    @staticmethod
    def _foreign(path, transaction):
        keys, people = [], Numbering()
        for key in transaction.cursor().iternext(keys=True, values=False):
            person = key.rpartition(b'/')[0].rpartition(b'/')[2]
            if not person:
                raise FormatError(f'{path}: its keys, such as {key[:60]!r}, do not name identities: expected is '
                                  'IDENTITY/IMAGE')
            keys.append(key)
            people.add(person.decode('utf-8', 'replace'))
        if not keys:
            raise FormatError(f'{path} holds nothing')
        return np.array(keys), *people.finish()

    def _found(self, place):
        """Key and value (bytes) of the image at a place."""
        environment = self.opened('', lambda: open_environment(self.path))
        try:
            with environment.begin(buffers=False) as transaction:
                if self.keys is not None:
                    return bytes(self.keys[place]), transaction.get(bytes(self.keys[place]))
                cursor, begin = transaction.cursor(), b'%09d/' % place
                if cursor.set_range(begin) and cursor.key().startswith(begin):
                    return cursor.item()
        except lmdb().Error as error:
            raise FormatError(f'{self.path}: image {place} cannot be read: {error}') from error
        raise FormatError(f'{self.path} has no key {begin.decode()}...: it is damaged')

    def read(self, place):
        """The encoded image (bytes) at a place."""
        return self._found(place)[1]

    def key(self, place):
        """The key (str), whole where it was stored shortened."""
        return self.names.get(place) or self._found(place)[0].decode('utf-8', 'surrogateescape')

    def find(self, keys):
        """Which images have one of these keys (list[str]), bool (N,)."""
        out = np.zeros(len(self), bool)
        if self.keys is not None:
            return np.isin(self.keys, [key.encode() for key in keys])
        for key in keys:
            number = key.partition('/')[0]
            if number.isascii() and number.isdecimal() and int(number) < len(self):
                out[int(number)] |= self.key(int(number)) == key
        return out
