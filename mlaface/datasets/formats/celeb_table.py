"""MS-Celeb-1M as it was given out: a ``.tsv`` of a line an image, whose last column is the image in base64.

Aligned and cropped faces have seven columns (Freebase MID, rank of the search, URL of the image, of the page, number of
the face, its box in base64, the face in base64), whole pictures five or six. Source: the data page of Guo et al., ECCV
2016.
"""
import binascii
from base64 import b64decode

import numpy as np

from mlaface.datasets.formats.archive import Archive, Numbering
from mlaface.datasets.formats.errors import FormatError

FACE = 7  # columns of the cropped faces


class CelebTable(Archive):
    """Images of a ``.tsv``; a key is ``MID/RANK-FACE``, or ``MID/RANK`` of whole pictures.

    All of the file is read once when it is opened, to find its lines.

    Args:
        path (str | Path): The file.
        advance (callable): Told the byte that has been reached.

    Raises:
        FileNotFoundError: If it is not there.
        FormatError: If a line is none of these.
    """

    def __init__(self, path, advance=lambda offset: None):
        self.path = path
        people, starts, offset = Numbering(), [], 0
        with self._whole() as file:
            for number, line in enumerate(file, 1):
                columns = line.count(b'\t') + 1
                if line.strip():
                    if not 5 <= columns <= FACE:
                        raise FormatError(f'{path}, line {number}: {columns} columns; MS-Celeb-1M has 5 to {FACE}, '
                                          'with tabs between them')
                    people.add(line.partition(b'\t')[0].decode('utf-8', 'replace'))
                    starts.append((offset, len(line)))
                offset += len(line)
                advance(offset)
        if not starts:
            raise FormatError(f'{path} holds no line')
        self.lines = np.array(starts, np.int64)
        super().__init__(path, *people.finish())

    def _whole(self):
        return open(self.path, 'rb')

    def _line(self, place):
        start, size = self.lines[place].tolist()
        return self.read_at(self.path, start, size).rstrip(b'\r\n').split(b'\t')

    def read(self, place):
        """The encoded image (bytes) at a place."""
        try:
            return b64decode(self._line(place)[-1], validate=True)
        except binascii.Error as error:
            raise FormatError(f'{self.path}, image {place}: its last column is not base64 ({error})') from error

    def key(self, place):
        """Person and number of an image (str)."""
        words = self._line(place)
        person, rank = words[0], words[2 if len(words) == FACE - 1 else 1]
        parts = [person, b'/', rank, *([b'-', words[4]] if len(words) == FACE else [])]
        return b''.join(parts).decode('utf-8', 'replace')
