"""People and their embeddings: what is enrolled is on the disk before anybody is told so, and search is exact."""
from threading import RLock

import numpy as np

from mlaface.evaluation.functional.rows import cosines, unit_rows
from mlaface.gallery.coding import Coding
from mlaface.gallery.finder import LIKELY, Finder
from mlaface.gallery.header import check_header, check_model, new_header
from mlaface.gallery.records import (
    Enrolment,
    Match,
    NobodyError,
    check_embeddings,
    check_name,
    encode_metadata,
    new_images,
)
from mlaface.gallery.sealing import open_seal
from mlaface.gallery.search.ranking import rank
from mlaface.registry import GALLERY_ENGINES
from mlaface.utils.errors import InputError


class Gallery:
    """People, each with one image or several, found by embeddings of one model. Use ``Gallery.open``.

    Several threads and several processes may use one gallery; each sees at once what another has enrolled or deleted.

    Args:
        engine (Engine): Keeps it.
        place (str): Where it is, for messages.
        key (bytes or None): Of an encrypted one.
    """

    def __init__(self, engine, place, key=None):
        self.engine, self.place, self.header, self.lock = engine, place, engine.header, RLock()
        check_header(self.header, place)
        self.coding = Coding(open_seal(self.header, key, place), self.size, place)
        self._finder = None

    @classmethod
    def open(cls, location, model=None, create=False, key=None):
        """Open a gallery.

        Args:
            location (str | Path): A file, or ``postgresql://...``.
            model (dict or None): ``name``, ``sha256``, ``embedding_size`` (and ``flip``) of the model whose embeddings
                will be given, as ``FaceInferencer.model`` states them; None where none will be.
            create (bool): Make it if there is none; needs ``model``.
            key (bytes or None): 32 secret bytes; a gallery that is made with a key is encrypted.

        Returns:
            Gallery: Close it, or use it in a ``with`` statement.

        Raises:
            MissingDataError: If there is none and none is to be made.
            InputError: If another model made it, or the key is another; names both models.
            UserError: If it cannot be opened.
        """
        place = str(location)
        engine = _engine_of(place)(place, new_header(model or {}, key) if create else None)
        try:
            gallery = cls(engine, _shown(place), key)
            if model is not None:
                check_model(gallery.model, model, gallery.place)
        except BaseException:
            engine.close()
            raise
        return gallery

    @property
    def model(self):
        """The model that made the embeddings: ``name``, ``sha256``, ``embedding_size``, ``flip`` (dict)."""
        return self.header['model']

    @property
    def size(self):
        """Numbers of an embedding (int)."""
        return self.model['embedding_size']

    def enroll(self, name, embedding, metadata=None, image=None):
        """Keep an image of a person, who may have others.

        Args:
            name (str): Of the person.
            embedding (ndarray (D,)): Of the image, of any length but zero.
            metadata (dict or None): What JSON can hold.
            image (bytes or None): The image file; kept only if it is given.

        Returns:
            int: Number of the image. It is on the disk.

        Raises:
            InputError: If the name, the embedding or the metadata cannot be kept.
            UserError: If the disk is full; nothing is kept then.
        """
        return self.enroll_all([Enrolment(name, embedding, metadata, image)])[0]

    def enroll_all(self, enrolments):
        """``enroll`` many images: all are kept, or none.

        Args:
            enrolments (Iterable[Enrolment]): As many as memory holds.

        Returns:
            list[int]: Numbers of the images, in order.
        """
        return self._enroll_all(list(enrolments), new_only=False)

    def enroll_new(self, enrolments):
        """``enroll_all`` but for images that their people have already, which are left as they are.

        Args:
            enrolments (Iterable[Enrolment]): As many as memory holds. One is there already if the person has an
                embedding of the same image, as ``records.new_images`` tells; metadata are not looked at.

        Returns:
            list[int]: Numbers of those that were not there, in order.
        """
        return self._enroll_all(list(enrolments), new_only=True)

    def _enroll_all(self, enrolments, new_only):
        if not enrolments:
            return []
        rows = check_embeddings(_stacked(enrolments), self.size)
        names = [check_name(each.name) for each in enrolments]
        records = [encode_metadata(each.metadata) for each in enrolments]
        with self.lock, self.engine.writing():
            numbers, newcomer = self._numbers(names)
            people = np.array([numbers[name] for name in names])
            chosen = self._new(people, newcomer, rows) if new_only else range(len(rows))
            first = self.engine.add_images([
                self.coding.encode(int(people[place]), rows[place], records[place], enrolments[place].picture)
                for place in chosen])
        return list(range(first, first + len(chosen)))

    def _new(self, people, newcomer, rows):
        """Places of the images that their people do not have; those from number ``newcomer`` on have none."""
        new = np.empty(len(rows), bool)
        order = np.argsort(people, kind='stable')
        for places in np.split(order, np.flatnonzero(np.diff(people[order])) + 1):
            person = int(people[places[0]])
            blocks = self.engine.images(person) if person < newcomer else ()
            known = [self.coding.embeddings(block) for block in blocks]
            new[places] = new_images(rows[places], np.concatenate([*known, np.empty((0, self.size))]))
        return np.flatnonzero(new)

    def _numbers(self, names):
        """Numbers of the people with these names, by name, and the first of those who were not there and are added."""
        keys = {name: self.coding.key(name) for name in names}
        known = self.engine.find(list(keys.values()))
        new = [name for name, key in keys.items() if key not in known]
        first = self.engine.next_people(len(new))
        self.engine.add_people([(person, keys[name], self.coding.encode_name(person, name))
                                for person, name in enumerate(new, first)])
        return {name: known.get(key) for name, key in keys.items()} | {
            name: person for person, name in enumerate(new, first)}, first

    def identify(self, embeddings, k=5, threshold=None, score='best'):
        """Who is it? The people who are most alike, among whom there may be nobody.

        Args:
            embeddings (ndarray (N, D) or (D,)): Probes, of any length but zero.
            k (int): At most so many people a probe.
            threshold (float or None): Cosine that a person must reach; None takes the k best, whoever they are.
            score (str): A person's score: the cosine with the ``'best'`` image, or the ``'mean'`` over all images.

        Returns:
            list[list[Match]]: For each probe, the best first. Scores are exact (float64), and equal ones stand in the
            order of enrolment.

        Raises:
            InputError: If the embeddings do not fit, or k or score is none.
        """
        if score not in LIKELY or k < 1:
            raise InputError(f'score is one of {", ".join(LIKELY)} and k at least 1; got {score!r} and {k}')
        probes = self._probes(embeddings)
        with self.lock:
            if self._finder is None:
                self._finder = Finder(self.engine, self.coding)
            found = self._finder.find(probes, k, -1.0 if threshold is None else threshold, score)
            everyone = sorted({person for matches in found for person, _, _ in matches})
            names = {person: self.coding.name(person, record) for person, _, record, _ in self.engine.people(everyone)}
        return [[Match(names[person], min(cosine, 1.0), image) for person, cosine, image in matches if person in names]
                for matches in found]

    def _probes(self, embeddings):
        return check_embeddings(np.atleast_2d(embeddings), self.size, 'probe')

    def verify(self, name, embedding, score='best'):
        """Is it this person? The cosine of a probe with one person's images.

        Args:
            name (str): Of the person.
            embedding (ndarray (D,)): The probe.
            score (str): See ``identify``.

        Returns:
            Match: Whose ``cosine`` is to be compared with a threshold.

        Raises:
            InputError: If nobody has that name.
        """
        probe = self._probes(embedding)
        rows = [row for block in self.engine.images(self._person(name)) for row in block]
        if not rows:  # deleted a moment ago
            raise self._nobody(name)
        unit = unit_rows(self.coding.embeddings(rows))
        ids, people = (np.array([row[column] for row in rows]) for column in (0, 1))
        scores = cosines(probe, np.zeros(len(ids), int), unit, np.arange(len(ids)))
        (_, cosine, image), = rank(ids, people, scores, 1, -np.inf, score)
        return Match(check_name(name), min(cosine, 1.0), image)

    def _person(self, name):
        found = self.engine.find([self.coding.key(check_name(name))])
        if not found:
            raise self._nobody(name)
        return next(iter(found.values()))

    def _nobody(self, name):
        return NobodyError(f'nobody is enrolled as {name!r} in {self.place}: mlaface gallery list shows who is')

    def delete(self, name):
        """Delete a person with all images. ``compact`` then clears the files of what they were.

        Args:
            name (str): Of the person.

        Returns:
            int: How many images were deleted.

        Raises:
            InputError: If nobody has that name.
        """
        with self.lock, self.engine.writing():
            return self.engine.remove_person(self._person(name))

    def rename(self, old, new):
        """Give a person another name.

        Raises:
            InputError: If nobody has the old name, or somebody has the new one.
        """
        new = check_name(new)
        key = self.coding.key(new)
        with self.lock, self.engine.writing():
            person = self._person(old)
            if self.engine.find([key]).get(key, person) != person:
                raise InputError(f'{new!r} is somebody already in {self.place}: two people cannot become one by a name')
            self.engine.change_person(person, key, self.coding.encode_name(person, new))

    def people(self):
        """Everybody, in the order of enrolment.

        Returns:
            dict[str, int]: Name -> how many images.
        """
        return {self.coding.name(person, record): images for person, _, record, images in self.engine.people()}

    def enrolments(self, name=None):
        """Yield number of image and ``Enrolment`` of one person's images, or of everybody's, in the order of enrolment.
        """
        if name is not None:
            person = self._person(name)
            names = {person: check_name(name)}
        else:
            person = None
            names = {number: self.coding.name(number, record) for number, _, record, _ in self.engine.people()}
        for block in self.engine.images(person):
            for row in block:
                if row.person in names:
                    yield row.id, self.coding.enrolment(names[row.person], row)

    def export(self, file):
        """Write everybody into a ``.npz`` or ``.jsonl`` file; see ``transfer``. Not encrypted."""
        from mlaface.gallery.transfer import export
        return export(self, file)

    def import_(self, file):
        """Enrol all that such a file holds and is not there, or nothing; gives how many images."""
        from mlaface.gallery.transfer import import_
        return import_(self, file)

    def compact(self):
        """Leave nothing in the files of what was deleted, and give its space back.

        Raises:
            UserError: If another process is reading; says so.
        """
        with self.lock:
            self.engine.compact()

    def check(self):
        """Read everything and look for damage.

        Returns:
            list[str]: What is wrong; empty if nothing is.
        """
        return [*self.engine.check(), *self.coding.check(self.engine)]

    def info(self):
        """What it is and how large (dict)."""
        people, images = self.engine.count()
        return dict(gallery=self.place, engine=type(self.engine).__name__.removesuffix('Engine').lower(),
                    created=self.header['created'], model=self.model, sealing=self.header['sealing'], people=people,
                    images=images, bytes=self.engine.size())

    def close(self):
        """Let go of the gallery's files or server."""
        with self.lock:
            if self._finder is not None:
                self._finder.close()
            self.engine.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def _engine_of(place):
    """The class of the engine that keeps galleries at such a place."""
    fitting = [kind for kind in GALLERY_ENGINES.classes().values() if kind.accepts(place)]
    if len(fitting) != 1:
        raise InputError(f'{place}: {len(fitting)} engines keep galleries at such a place; there are '
                         f'{", ".join(GALLERY_ENGINES.names())}')
    return fitting[0]


def _shown(place):
    """A place as messages show it: a URL without who connects, and a password that may stand there."""
    scheme, mark, rest = place.partition('://')
    return f'{scheme}{mark}{rest.rpartition("@")[2]}' if mark else place


def _stacked(enrolments):
    """Embeddings (N, D) of enrolments."""
    rows = [np.asarray(each.embedding) for each in enrolments]
    for each, row in zip(enrolments, rows):
        if row.shape != rows[0].shape or row.ndim != 1:
            raise InputError(f'the embedding of {each.name!r} has shape {row.shape}; it must be (D,), the same for all')
    return np.stack(rows)
