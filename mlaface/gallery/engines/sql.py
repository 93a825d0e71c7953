"""A gallery as three tables of SQL, which SQLite and PostgreSQL share."""
import json
from abc import abstractmethod

from mlaface.gallery.engines.base import Engine, ImageRow, State

TABLES = (
    """CREATE TABLE gallery (one {int} PRIMARY KEY CHECK (one = 1), header TEXT NOT NULL, next_person {int} NOT NULL,
        next_image {int} NOT NULL, removals {int} NOT NULL)""",
    'CREATE TABLE people (id {int} PRIMARY KEY, key {bytes} NOT NULL UNIQUE, record {bytes} NOT NULL)',
    """CREATE TABLE images (id {int} PRIMARY KEY, person {int} NOT NULL REFERENCES people (id),
        embedding {bytes} NOT NULL, record {bytes}, picture {bytes})""",
    'CREATE INDEX images_of_person ON images (person)',
)
BLOCK = 2048  # rows that are read or sent at once: some MB


class SqlEngine(Engine):
    """What is said in SQL that every database understands; a subclass connects, and says how transactions go."""

    @abstractmethod
    def _run(self, statement, values=()):
        """Execute a statement with ``?`` for values; gives the cursor."""

    @abstractmethod
    def _run_many(self, statement, rows):
        """Execute a statement for each row of values."""

    def _make_tables(self, header, types):
        for statement in TABLES:
            self._run(statement.format(**types))
        self._run('INSERT INTO gallery VALUES (1, ?, 1, 1, 0)', (json.dumps(header),))

    @property
    def header(self):
        """See ``Engine``."""
        return json.loads(self._run('SELECT header FROM gallery').fetchone()[0])

    def find(self, keys):
        """See ``Engine``."""
        found = {}
        for part in _parts(keys):
            found.update(self._run(f'SELECT key, id FROM people WHERE key IN ({_marks(part)})', part))
        return {bytes(key): person for key, person in found.items()}

    def people(self, ids=None):
        """See ``Engine``."""
        columns = 'id, key, record, (SELECT count(*) FROM images WHERE person = people.id)'
        if ids is None:
            for block in self._after(f'SELECT {columns} FROM people WHERE', -1):
                yield from block
            return
        for part in _parts(ids):
            yield from self._run(f'SELECT {columns} FROM people WHERE id IN ({_marks(part)}) ORDER BY id', part)

    def next_people(self, count):
        """See ``Engine``."""
        return self._take('next_person', count)

    def add_people(self, rows):
        """See ``Engine``."""
        self._run_many('INSERT INTO people VALUES (?, ?, ?)', rows)

    def _take(self, counter, count):
        """The first of so many numbers that nobody has had."""
        first, = self._run(f'SELECT {counter} FROM gallery').fetchone()
        self._run(f'UPDATE gallery SET {counter} = ?', (first + count,))
        return first

    def change_person(self, person, key, record):
        """See ``Engine``."""
        self._run('UPDATE people SET key = ?, record = ? WHERE id = ?', (key, record, person))

    def remove_person(self, person):
        """See ``Engine``."""
        removed = self._run('DELETE FROM images WHERE person = ?', (person,)).rowcount
        self._run('DELETE FROM people WHERE id = ?', (person,))
        self._run('UPDATE gallery SET removals = removals + 1')
        return removed

    def add_images(self, rows):
        """See ``Engine``."""
        first = self._take('next_image', len(rows))
        self._run_many('INSERT INTO images VALUES (?, ?, ?, ?, ?)',
                       [(first + number, *row) for number, row in enumerate(rows)])
        return first

    def images(self, person=None):
        """See ``Engine``."""
        whose, values = ('', ()) if person is None else ('person = ? AND', (person,))
        for block in self._after(f'SELECT * FROM images WHERE {whose}', -1, values):
            yield [ImageRow(*row) for row in block]

    def embeddings(self, ids=None, after=-1):
        """See ``Engine``."""
        select = 'SELECT id, person, embedding FROM images WHERE'
        if ids is None:
            yield from self._after(select, after)
            return
        for part in _parts(ids):
            yield self._run(f'{select} id IN ({_marks(part)}) ORDER BY id', part).fetchall()

    def _after(self, select, after, values=()):
        """Blocks of a selection in the order of ``id``, each asked for by itself: whoever writes need not wait."""
        while block := self._run(f'{select} id > ? ORDER BY id LIMIT {BLOCK}', (*values, after)).fetchall():
            yield block
            after = block[-1][0]

    def ids(self):
        """See ``Engine``."""
        # in no order, so that the small index on people is read and not the table
        return sorted(row[0] for row in self._run('SELECT id FROM images'))

    def state(self):
        """See ``Engine``."""
        return State(*self._run('SELECT next_image, removals FROM gallery').fetchone())

    def count(self):
        """See ``Engine``."""
        return tuple(self._run('SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM images)').fetchone())

    def check(self):
        """See ``Engine``."""
        for person, in self._run('SELECT DISTINCT person FROM images WHERE person NOT IN (SELECT id FROM people)'):
            yield f'images of person {person}, who is not there'
        if self._run('SELECT max(id) >= (SELECT next_image FROM gallery) FROM images').fetchone()[0]:
            yield 'an image whose number was not given yet'


def _parts(values, size=500):
    return (values[start:start + size] for start in range(0, len(values), size))


def _marks(values):
    return ', '.join('?' * len(values))
