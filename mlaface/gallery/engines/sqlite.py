"""A gallery in one SQLite file, without a server: the default.

What was acknowledged is on the disk: write-ahead log with ``synchronous=FULL``. What is removed is overwritten
(``secure_delete``), and the log, which may still hold it, is emptied.
"""
import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path
from threading import RLock

from mlaface.gallery.engines.sql import SqlEngine
from mlaface.registry import GALLERY_ENGINES
from mlaface.utils.errors import FullDiskError, InputError, MissingDataError, UserError
from mlaface.utils.files import sync_folder

APPLICATION = 0x4D4C4147  # 'MLAG', which `file` and others can tell a gallery by
PAGE = 16384  # seven embeddings of 512 numbers a page; a page of 4,096 holds one, and half of it is lost
PATIENCE = 60  # seconds that one who writes waits for another
DENIED = ('readonly', 'unable to open')  # what SQLite says of files and folders that cannot be written to
TYPES = dict(int='INTEGER', bytes='BLOB')


@GALLERY_ENGINES.register_module(name='sqlite')
class SqliteEngine(SqlEngine):
    """One file, ``-wal`` and ``-shm`` beside it while it is open; readable by its owner only."""

    def __init__(self, location, header=None):
        self.path, self.lock = Path(location), RLock()
        if not self.path.exists():
            if header is None:
                raise MissingDataError(f'no gallery at {self.path}: mlaface enroll makes one')
            self._make(header)
        with self._explained():
            self._open()

    @classmethod
    def accepts(cls, location):
        """See ``Engine``."""
        return '://' not in location

    def _make(self, header):
        """Make the file whole under another name, then link it: nobody ever sees half of one, nor replaces one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f'.{self.path.name}.', suffix='.part', dir=self.path.parent)
        os.close(handle)
        try:
            with self._explained():
                self.connection, self.unchanged = _connect(name), None
                self.connection.execute(f'PRAGMA page_size={PAGE}')
                self.connection.execute(f'PRAGMA application_id={APPLICATION}')
                with self.writing():
                    self._make_tables(header, TYPES)
                self.connection.execute('PRAGMA journal_mode=WAL')
                self.connection.close()
            with contextlib.suppress(FileExistsError):
                os.link(name, self.path)
            sync_folder(self.path.parent)
        finally:
            for end in ('', '-wal', '-shm', '-journal'):
                Path(name + end).unlink(missing_ok=True)

    def _open(self):
        """Connect: to write; where file or folder cannot be written to, to read beside one who writes, whose log is
        there; and where there is no log, to read a file that nobody changes, which ``_run`` looks after."""
        stamp, failed = self._stamp(), None
        for way in ('mode=rw', 'mode=ro', *(['mode=ro&immutable=1'] if not stamp[-1] else [])):
            try:
                self.connection = _connect(self.path, way)
                self._check_kind()
                # the log is made now, so that a disk that cannot be written to is found before anything is promised
                self.connection.execute('PRAGMA journal_mode=WAL')
            except sqlite3.OperationalError as error:
                if not any(words in str(error) for words in DENIED):
                    raise
                failed = failed or error
            else:
                self.unchanged = stamp if 'immutable' in way else None
                return
        if stamp[-1]:
            raise UserError(f'{self.path}-wal holds what the file lacks, and cannot be read where nothing can be '
                            f'written: mlaface gallery compact {self.path}, by who may write, empties it') from failed
        raise failed

    def _stamp(self):
        """What changes with the file: its number, size and time of change, and whether its log holds anything."""
        stat, log = self.path.stat(), Path(f'{self.path}-wal')
        return stat.st_ino, stat.st_size, stat.st_mtime_ns, log.exists() and log.stat().st_size > 0

    def _check_kind(self):
        kind, = self.connection.execute('PRAGMA application_id').fetchone()
        if kind != APPLICATION:
            raise InputError(f'{self.path} is no gallery: it is a database of another program')

    def _run(self, statement, values=()):
        with self.lock, self._explained():
            if self.unchanged and self.unchanged != self._stamp():
                self.connection.close()
                self._open()
            return _Answer(self.connection.execute(statement, values))

    def _run_many(self, statement, rows):
        with self.lock, self._explained():
            self.connection.executemany(statement, rows)

    @contextlib.contextmanager
    def writing(self):
        """See ``Engine``."""
        with self.lock, self._explained():
            self.connection.execute('BEGIN IMMEDIATE')
            try:
                yield
                self.connection.execute('COMMIT')
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute('ROLLBACK')
                raise

    @contextlib.contextmanager
    def _explained(self):
        """Say in one line, and with the file's name, what SQLite says of a disk, a lock, or damage."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            if 'full' in text or 'disk I/O' in text:
                raise FullDiskError(f'{self.path}: the disk is full or cannot be written to ({text}). Nothing of this '
                                    'was kept, and all that was kept before is whole: make room and do it again'
                                    ) from error
            if 'locked' in text or 'busy' in text:
                raise UserError(f'{self.path}: another process has been writing for {PATIENCE} seconds: wait for it, '
                                'or end it') from error
            if any(words in text for words in DENIED):
                raise UserError(f'{self.path}: {text}: is the file yours, and its folder writable?') from error
            raise InputError(f'{self.path} is damaged, or no gallery ({text}): go back to a copy or an export'
                             ) from error

    def _empty_log(self):
        with self.lock, self._explained():
            busy, *_ = self.connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()
        if busy:
            raise UserError(f'{self.path}: another process is reading, so that {self.path}-wal still holds what was '
                            'removed: run mlaface gallery compact when it is done')

    def compact(self):
        """See ``Engine``."""
        self._empty_log()
        self._run('VACUUM')
        self._empty_log()

    def check(self):
        """See ``Engine``."""
        for line, in self._run('PRAGMA integrity_check'):
            if line != 'ok':
                yield line
        yield from super().check()

    def size(self):
        """See ``Engine``."""
        files = (Path(f'{self.path}{end}') for end in ('', '-wal', '-shm'))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self):
        """See ``Engine``."""
        with self.lock:
            self.connection.close()


class _Answer:
    """The rows of a statement, read at once: a statement that is read bit by bit would keep its place in the log."""

    def __init__(self, cursor):
        self.rowcount, self.rows = cursor.rowcount, cursor.fetchall()

    def __iter__(self):
        return iter(self.rows)

    def fetchone(self):
        """See ``Engine``."""
        return self.rows[0] if self.rows else None

    def fetchall(self):
        """See ``Engine``."""
        return self.rows


def _connect(path, way='mode=rw'):
    connection = sqlite3.connect(f'{Path(path).absolute().as_uri()}?{way}', uri=True, timeout=PATIENCE,
                                 isolation_level=None, check_same_thread=False)
    for setting in ('trusted_schema=OFF', 'cell_size_check=ON', 'foreign_keys=ON', 'secure_delete=ON',
                    'synchronous=FULL'):
        connection.execute(f'PRAGMA {setting}')
    return connection
