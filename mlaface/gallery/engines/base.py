"""What an engine is asked for: rows of bytes, kept in transactions. It knows neither names nor embeddings.

The gallery seals what it hands over (a checksum, or encryption), so that an engine on somebody else's server need not
be trusted with what is in it. Numbers of people and images rise and are never given twice: who has read up to one
number asks for what came after it.
"""
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import NamedTuple


class ImageRow(NamedTuple):
    """An enrolled image as it is kept.

    Args:
        id (int): Its number.
        person (int): Number of its person.
        embedding (bytes): Sealed.
        record (bytes or None): Sealed metadata.
        picture (bytes or None): Sealed image file, where it was asked for.
    """
    id: int
    person: int
    embedding: bytes
    record: bytes | None = None
    picture: bytes | None = None


class State(NamedTuple):
    """What has changed since somebody looked.

    Args:
        next_image (int): Number that the next image gets.
        removals (int): How often something was removed.
    """
    next_image: int
    removals: int


class Engine(ABC):
    """Keeps one gallery. A subclass registers in ``GALLERY_ENGINES`` under its name.

    Args:
        location (str): Where the gallery is.
        header (dict or None): Makes the gallery with this header if there is none; None opens only what is there.

    Raises:
        MissingDataError: If there is none, and no header.
        UserError: If it cannot be opened; says why in one line.
    """

    @classmethod
    @abstractmethod
    def accepts(cls, location):
        """Whether a location (str) is one of this engine's."""

    @property
    @abstractmethod
    def header(self):
        """What was given when the gallery was made (dict)."""

    @abstractmethod
    @contextmanager
    def writing(self):
        """All that is changed in this block is kept or none of it; it is on the disk when the block ends.

        One block at a time, over all processes: the numbers that it gives rise in the order in which blocks end.
        """

    @abstractmethod
    def find(self, keys):
        """Numbers of the people with these keys (list[bytes]), by key; only of those who are there."""

    @abstractmethod
    def people(self, ids=None):
        """Yield number, key, record and count of images of people with these numbers, or of all, by number."""

    @abstractmethod
    def next_people(self, count):
        """So many numbers that no person has had: the first (int), the others follow."""

    @abstractmethod
    def add_people(self, rows):
        """Add people: tuples of number, key (bytes, nobody else's) and record (bytes)."""

    @abstractmethod
    def change_person(self, person, key, record):
        """Replace the key and the record of a person."""

    @abstractmethod
    def remove_person(self, person):
        """Remove a person (int) and all images; gives how many those were."""

    @abstractmethod
    def add_images(self, rows):
        """Add ``(person, embedding, record, picture)`` tuples; gives the first one's number, the others follow."""

    @abstractmethod
    def images(self, person=None):
        """Yield lists of ``ImageRow``, of one person or of all, by number."""

    @abstractmethod
    def embeddings(self, ids=None, after=-1):
        """Yield lists of ``(id, person, embedding)``: of these images, or of all above a number, by number."""

    @abstractmethod
    def ids(self):
        """Numbers of all images, rising (list[int])."""

    @abstractmethod
    def state(self):
        """The ``State``; cheap, as it is asked before every search."""

    @abstractmethod
    def count(self):
        """How many people and how many images there are (tuple[int, int])."""

    @abstractmethod
    def compact(self):
        """Give the space of what was removed back; nothing of it is left in the engine's files."""

    @abstractmethod
    def check(self):
        """Yield what is damaged (str)."""

    @abstractmethod
    def size(self):
        """Bytes on the disk."""

    @abstractmethod
    def close(self):
        """Let go of it."""
