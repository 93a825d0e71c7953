"""Parquet files as Hugging Face's ``datasets`` writes them."""
import json

from mlaface.datasets.archives.target import Target
from mlaface.datasets.formats.parquet_set import parquet

GROUP, ROWS = 100, 20_000  # images a row group, and a file


class ToParquet(Target):
    """``data/train-00000.parquet`` ..., with a column ``image`` of bytes and path, and ``label`` (``ClassLabel``).

    Writing goes on at a file that is not whole.

    Args:
        rows (int): Images a file. Default 20,000.
    """
    layout = 'parquet'
    named = True

    def __init__(self, work, classes, size=(112, 112), rows=None):
        super().__init__(work, classes, size)
        self.rows = rows or ROWS

    def open(self, state):
        """Begin or go on."""
        self.number = (state or {}).get('number', 0)
        self.batch, self.writer, self.written = [], None, 0

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
        if self.writer is None:
            path = self.work / 'data' / f'train-{self.number:05d}.parquet'
            path.parent.mkdir(parents=True, exist_ok=True)
            self.writer = parquet().ParquetWriter(path, self._schema(), compression='none')
        if self.batch:
            import pyarrow as pa
            self.writer.write_table(pa.Table.from_pylist(self.batch, self._schema()), row_group_size=GROUP)
        self.batch = []

    def _end(self):
        self.writer.close()
        self.writer, self.written = None, 0
        self.number += 1

    def due(self, seconds):
        """A file is whole."""
        return self.writer is None and not self.batch

    def state(self):
        """Number of the next file."""
        return dict(number=self.number)

    def finish(self, labels):
        """End the last file."""
        if self.batch or self.writer:
            self._flush()
            self._end()
        return dict(files=self.number)

    def close(self):
        """Let go of a file that is not whole."""
        if self.writer:
            self.writer.close()
