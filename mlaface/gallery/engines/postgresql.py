"""A gallery in a schema of a PostgreSQL server, or of one that speaks its protocol.

``postgresql://USER@HOST:PORT/DATABASE#GALLERY``: the part behind ``#`` is the schema, by default ``mlaface``. The
server's settings decide about durability: it acknowledges what is in its log on the disk unless ``synchronous_commit``
or ``fsync`` are off.
"""
import contextlib
import re
from threading import RLock

from mlaface.gallery.engines.sql import SqlEngine
from mlaface.registry import GALLERY_ENGINES
from mlaface.utils.errors import InputError, MissingDataError, UserError
from mlaface.utils.packages import import_optional

TYPES = dict(int='BIGINT', bytes='BYTEA')
SCHEMES = ('postgresql://', 'postgres://')


def is_server(location):
    """Whether a place (str or Path) is the address of a server."""
    return str(location).startswith(SCHEMES)


@GALLERY_ENGINES.register_module(name='postgresql')
class PostgresqlEngine(SqlEngine):
    """Tables in a schema of their own; extra ``postgresql``."""

    def __init__(self, location, header=None):
        url, _, schema = location.partition('#')
        self.schema, self.lock = schema or 'mlaface', RLock()
        if not re.fullmatch('[a-z0-9_][a-z0-9_-]{0,62}', self.schema):
            raise InputError(f'{self.schema!r} behind # is no name of a gallery: small letters, digits, _ and -, '
                             'at most 63')
        self.quoted = f'"{self.schema}"'
        self.driver = _driver()
        with self._explained():
            self.connection = self.driver.connect(url, autocommit=True, connect_timeout=10)
            self.place = f'{self.connection.info.host}:{self.connection.info.port}/{self.connection.info.dbname}'
            self._run(f'SET search_path TO {self.quoted}')
            if self._run('SELECT to_regclass(?)', (f'{self.quoted}.gallery',)).fetchone()[0] is None:
                self._make(header)

    place = 'the server'

    @classmethod
    def accepts(cls, location):
        """See ``Engine``."""
        return is_server(location)

    def _make(self, header):
        if header is None:
            raise MissingDataError(f'no gallery {self.schema!r} at {self.place}: mlaface enroll makes one')
        with self.lock, self.connection.transaction():
            self._run('SELECT pg_advisory_xact_lock(hashtext(?))', (f'mlaface.{self.schema}',))
            if self._run('SELECT to_regclass(?)', (f'{self.quoted}.gallery',)).fetchone()[0] is None:
                self._run(f'CREATE SCHEMA IF NOT EXISTS {self.quoted}')
                self._make_tables(header, TYPES)
                # sealed bytes do not shrink, so that compression is tried in vain
                for column in ('embedding', 'picture'):
                    self._run(f'ALTER TABLE images ALTER COLUMN {column} SET STORAGE EXTERNAL')

    def _run(self, statement, values=()):
        with self.lock, self._explained():
            return self.connection.execute(statement.replace('?', '%s'), values, binary=True)

    def _run_many(self, statement, rows):
        with self.lock, self._explained(), self.connection.cursor() as cursor:
            cursor.executemany(statement.replace('?', '%s'), rows)

    @contextlib.contextmanager
    def writing(self):
        """See ``Engine``."""
        with self.lock, self._explained(), self.connection.transaction():
            self._run('SELECT one FROM gallery FOR UPDATE')
            yield

    @contextlib.contextmanager
    def _explained(self):
        """Say in one line, and with the server's name, what the server says."""
        try:
            yield
        except self.driver.Error as error:
            text = ' '.join(str(error).split())
            raise UserError(f'gallery {self.schema!r} at {self.place}: {text}. What was acknowledged is kept, and '
                            'nothing of this') from error

    def compact(self):
        """See ``Engine``."""
        for table in ('images', 'people', 'gallery'):
            self._run(f'VACUUM (FULL, ANALYZE) {table}')

    def size(self):
        """See ``Engine``."""
        return self._run("SELECT sum(pg_total_relation_size(format('%%I.%%I', schemaname, tablename)))::bigint "
                         'FROM pg_tables WHERE schemaname = ?', (self.schema,)).fetchone()[0]

    def close(self):
        """See ``Engine``."""
        with self.lock:
            self.connection.close()


def try_server(url):
    """Connect to a server once, so that a wrong address is told before anybody waits for it.

    Args:
        url (str): ``postgresql://USER@HOST:PORT/DATABASE``.

    Raises:
        MissingPackageError: If the driver is not installed.
        UserError: If there is no connection; names server and reason.
    """
    driver = _driver()
    try:
        driver.connect(url, connect_timeout=10).close()
    except driver.Error as error:
        raise UserError(f'no database at {url.rpartition("@")[2]}: {" ".join(str(error).split())}') from error


def _driver():
    return import_optional('psycopg', 'a gallery on a PostgreSQL server')
