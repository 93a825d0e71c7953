"""Names, embeddings, metadata and pictures as the sealed bytes that an engine keeps, and back."""
import json

import numpy as np

from mlaface.gallery.engines.base import ImageRow
from mlaface.gallery.records import Enrolment
from mlaface.utils.errors import InputError


class Coding:
    """How one gallery is read and written.

    Args:
        seal (Checked or Encrypted): Of the gallery.
        size (int): Numbers of an embedding.
        place (str): Where the gallery is, for messages.
    """

    def __init__(self, seal, size, place):
        self.seal, self.size, self.place = seal, size, place

    def key(self, name):
        """What a person is found by (bytes)."""
        return self.seal.person_key(name)

    def encode_name(self, person, name):
        """A person's record (bytes)."""
        return self.seal.seal(name.encode(), 'name', person)

    def name(self, person, record):
        """A person's name (str)."""
        return self.seal.unseal(record, 'name', person).decode()

    def encode(self, person, embedding, metadata, picture):
        """A row for ``Engine.add_images``.

        Args:
            person (int): Whose it is.
            embedding (ndarray (D,)): Of unit length; it is kept in float32.
            metadata (bytes or None): As ``records.encode_metadata`` gives them.
            picture (bytes or None): An image file.
        """
        optional = (None if data is None else self.seal.seal(data, what, person)
                    for what, data in (('metadata', metadata), ('picture', picture)))
        return (person, self.seal.seal(embedding.astype('<f4').tobytes(), 'embedding', person), *optional)

    def embeddings(self, rows):
        """Embeddings of rows that begin with the image's number, the person's, and the sealed embedding.

        Args:
            rows (list[tuple]): N of them.

        Returns:
            ndarray float32 (N, D).

        Raises:
            InputError: If one is damaged.
        """
        data = b''.join([self.seal.unseal(row[2], 'embedding', row[1]) for row in rows])
        if len(data) != 4 * self.size * len(rows):
            raise InputError(f'{self.place}: an embedding has not {self.size} numbers: the gallery is damaged')
        return np.frombuffer(data, '<f4').reshape(-1, self.size).astype(np.float32, copy=False)

    def enrolment(self, name, row):
        """What was enrolled.

        Args:
            name (str): Of the person.
            row (ImageRow): As it is kept.

        Returns:
            Enrolment: The embedding float32 of unit length.
        """
        metadata = None if row.record is None else json.loads(self.seal.unseal(row.record, 'metadata', row.person))
        picture = None if row.picture is None else self.seal.unseal(row.picture, 'picture', row.person)
        return Enrolment(name, self.embeddings([row])[0], metadata, picture)

    def check(self, engine):
        """Yield what cannot be read (str)."""
        names = {}
        for person, key, record, _ in engine.people():
            try:
                names[person] = self.name(person, record)
                if bytes(key) != self.key(names[person]):
                    yield f'person {person} is found by another name than the own'
            except InputError as error:
                yield str(error)
        for block in engine.images():
            for row in block:
                yield from self._check_image(row)

    def _check_image(self, row: ImageRow):
        try:
            norm = np.linalg.norm(self.enrolment('', row).embedding)
            if not abs(norm - 1) < 1e-3:
                yield f'embedding of image {row.id} has length {norm:g} where 1 was kept'
        except InputError as error:
            yield f'image {row.id}: {error}'
