"""Parquet files as Hugging Face's ``datasets`` writes them."""
import json
import os

from mlaface.datasets.archives.target import Target
from mlaface.datasets.formats.parquet_set import parquet

GROUP, ROWS = 100, 20_000  # images a row group, and a file


class ToParquet(Target):
    """``data/train-00000.parquet`` ..., with a column ``image`` of bytes and path, and ``label`` (``ClassLabel``).

    A file without its end cannot be written on. So its row groups are in ``tail-00000.part`` too, until it has its end,
    and are written again from there.

    Args:
        rows (int): Images a file. Default 20,000.
    """
    layout = 'parquet'
    named = True

    def __init__(self, work, classes, size=(112, 112), rows=None):
        super().__init__(work, classes, size)
        self.rows = rows or ROWS

    def open(self, state):
        """Begin, or write the row groups of a file that has no end again."""
        self.number, self.several = (state or {}).get('number', 0), (state or {}).get('several', False)
        self.batch, self.writer, self.written = [], None, 0
        self.tail = self.grow(_tail(self.number), state)
        for path in set(self.work.glob(_tail('*'))) - {self.tail.path}:
            path.unlink()
        if self.tail.size:
            import pyarrow as pa
            with open(self.tail.path, 'rb') as file:
                while file.tell() < self.tail.size:
                    batch = pa.ipc.read_record_batch(pa.ipc.read_message(file), self._schema())
                    self._write(pa.Table.from_batches([batch]))
                    self.written += len(batch)

    def _schema(self):
        import pyarrow as pa
        features = dict(image=dict(_type='Image'), label=dict(names=list(self.classes), _type='ClassLabel'))
        return pa.schema([('image', pa.struct([('bytes', pa.binary()), ('path', pa.string())])),
                          ('label', pa.list_(pa.float32()) if self.several else pa.int64())],
                         {'huggingface': json.dumps(dict(info=dict(features=features)))})

    def write(self, item):
        """Take an image; a full row group is written."""
        self.several = bool(len(item.further))
        label = [float(item.label), *map(float, item.further)] if self.several else item.label
        self.batch.append(dict(image=dict(bytes=item.data, path=f'{item.stem}{item.ending}'), label=label))
        self.written += 1
        if len(self.batch) == GROUP or self.written == self.rows:
            self._flush()
        if self.written == self.rows:
            self._end()

    def _flush(self):
        if self.batch:
            import pyarrow as pa
            table = pa.Table.from_pylist(self.batch, self._schema())
            for batch in table.to_batches():
                self.tail.write(batch.serialize())
            self._write(table)
        self.batch = []

    def _path(self):
        return self.work / 'data' / f'train-{self.number:05d}.parquet'

    def _write(self, table):
        if self.writer is None:
            self._path().parent.mkdir(parents=True, exist_ok=True)
            self.writer = parquet().ParquetWriter(self._path(), self._schema(), compression='none')
        self.writer.write_table(table, row_group_size=GROUP)

    def _end(self):
        self.writer.close()
        with open(self._path(), 'rb') as file:
            os.fsync(file.fileno())
        self.writer, self.written = None, 0
        self.tail.close()
        del self.files[_tail(self.number)]
        self.number += 1
        self.tail = self.grow(_tail(self.number), None)

    def due(self, seconds):
        """A file is whole."""
        return self.writer is None and not self.batch

    def settled(self):
        """A row group is whole."""
        return not self.batch

    def state(self, durable=True):
        """Number of the file that is being written or comes next, and the size of its tail."""
        return dict(super().state(durable), number=self.number, several=self.several)

    def save(self, state):
        """The tails of files that have their end go when no state needs them."""
        super().save(state)
        (self.work / _tail(self.number - 1)).unlink(missing_ok=True)

    def finish(self, labels):
        """End the last file."""
        if self.batch or self.writer:
            self._flush()
            self._end()
        return dict(files=self.number)

    def close(self):
        """Let go of a file that is not whole."""
        super().close()
        if self.writer:
            self.writer.close()


def _tail(number):
    return f'tail-{number}.part'
