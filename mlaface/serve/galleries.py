"""A gallery for each key, and searches of several requests at once."""
import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from mlaface.gallery import Enrolment, Gallery
from mlaface.gallery.engines.postgresql import SCHEMES, is_server, try_server
from mlaface.gallery.records import NobodyError, check_name
from mlaface.serve.batching import Batcher
from mlaface.serve.refusals import RefusedError, of_gallery
from mlaface.utils.errors import InputError, UserError

PROBES, THREADS = 16, 4


def try_place(place):
    """Make the folder of galleries if it is not there, or connect to the server once.

    Args:
        place (str | Path): See ``Galleries``.

    Raises:
        UserError: If people cannot be kept there; names the place.
    """
    if is_server(place):
        try_server(place)
    elif '://' in str(place):
        raise UserError(f'--galleries {place}: people are kept in a folder, or at {SCHEMES[0]}USER@HOST/DATABASE')
    else:
        try:
            Path(place).mkdir(parents=True, exist_ok=True)
            next(Path(place).iterdir(), None)
        except OSError as error:
            raise UserError(f'--galleries {place}: no folder to keep people in ({error.strerror}): name another, or '
                            'give the user of the server a right to it') from error


class Galleries:
    """The galleries of a folder, or of a database server; a caller reaches the own one only.

    Args:
        folder (str | Path or None): Where they are, or ``postgresql://USER@HOST/DATABASE``; None keeps nobody.
        model (dict): Whose embeddings they hold, as ``Inferencer.model``.
        key (bytes or None): Encrypts all of them.
        observe (callable or None): Is told how many probes a search had.
    """

    def __init__(self, folder, model, key=None, observe=None):
        self.folder, self.model, self.key, self.observe = folder, model, key, observe
        self.pool = ThreadPoolExecutor(THREADS, 'gallery')
        self._open, self._searches, self._lock = {}, {}, Lock()

    @property
    def why_not(self):
        """Why nobody can be enrolled (str), or None."""
        if self.folder is None:
            return 'this server keeps no people: it was started without --galleries FOLDER'
        if not self.model['sha256']:
            return f'{self.model["name"]} is no file with a SHA-256, to which a gallery could be bound'
        return None

    async def enroll(self, caller, name, embeddings, metadata=None):
        """Keep images of a person, all of them or none, but for those that the person has already.

        A write that has begun is waited for, also if the request's time is over meanwhile: what is then said is true.

        Returns:
            list[int]: Numbers of those that were not there. They are on the disk.
        """
        def write(gallery):
            return gallery.enroll_new([Enrolment(name, row, metadata) for row in embeddings])
        return await self._finished(caller, write)

    async def delete(self, caller, name):
        """Delete a person, and clear the files of what was kept.

        Returns:
            tuple: How many images, whether the files were cleared (bool), and the reason (str) or None.
        """
        def write(gallery):
            images = self._somebody(gallery, name, gallery.delete)
            try:
                gallery.compact()
            except UserError as error:
                return images, False, str(of_gallery(error, gallery.place))
            return images, True, None
        return await self._finished(caller, write)

    async def people(self, caller):
        """Names and counts of images, in the order of enrolment (dict)."""
        return await self._call(caller, lambda gallery: gallery.people())

    async def person(self, caller, name):
        """What is kept of a person: list of ``image`` and ``metadata`` (dict)."""
        def read(gallery):
            rows = self._somebody(gallery, name, lambda given: list(gallery.enrolments(given)))
            return [dict(image=number, metadata=each.metadata) for number, each in rows]
        return await self._call(caller, read)

    async def identify(self, caller, embeddings, k, threshold, score):
        """People who are most like each of the embeddings; see ``Gallery.identify``.

        Returns:
            tuple: list[list[Match]], and how many people there are.
        """
        gallery = await self._call(caller, lambda gallery: gallery)
        search = self._searches.setdefault((caller.name, score), Batcher(
            lambda probes: _search(gallery, probes, score), self.pool, PROBES, observe=self.observe))
        try:
            found = await search.submit([(row, k, threshold) for row in embeddings])
        except (UserError, OSError) as error:
            raise of_gallery(error, gallery.place) from error
        return found, await self._call(caller, lambda gallery: gallery.info()['people'])

    async def close(self):
        """Finish what was begun, and close all."""
        for search in self._searches.values():
            await search.close()
        self.pool.shutdown()
        for gallery in self._open.values():
            gallery.close()

    def _gallery(self, caller):
        """The caller's gallery, which is made if there is none. Works in a thread."""
        if self.why_not is not None:
            raise RefusedError(self.why_not, 409, 'no_gallery')
        with self._lock:
            if caller.name not in self._open:
                self._open[caller.name] = self._opened(self._place(caller.name))
            return self._open[caller.name]

    def _place(self, name):
        """Of the gallery of a name: a file, or a schema of the server."""
        if is_server(self.folder):
            return f'{self.folder}#{name}'
        return Path(self.folder, f'{name}.gallery')

    def _opened(self, path):
        try:
            return Gallery.open(path, self.model, create=True, key=self.key)
        except InputError as error:
            raise RefusedError(str(error).replace(str(path), 'the gallery'), 409, 'another_model') from error
        except (UserError, OSError) as error:
            raise of_gallery(error, path) from error

    @staticmethod
    def _somebody(gallery, name, action):
        """An action on somebody who may not be there."""
        check_name(name)
        try:
            return action(name)
        except NobodyError as error:
            raise RefusedError(f'nobody is enrolled as {name!r}: GET /v1/people lists who is', 404, 'no_such_person'
                               ) from error

    async def _call(self, caller, action):
        def work():
            gallery = self._gallery(caller)
            try:
                return action(gallery)
            except RefusedError:
                raise
            except (UserError, OSError) as error:
                raise of_gallery(error, gallery.place) from error
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    async def _finished(self, caller, action):
        """``_call``, waited for whatever happens."""
        task = asyncio.ensure_future(self._call(caller, action))
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise
            except Exception:  # raised below
                break
        return task.result()


def _search(gallery, probes, score):
    """Searches of several callers as one, which is exact: each takes its part of the longest list."""
    rows, most, thresholds = zip(*probes)
    lowest = None if None in thresholds else min(thresholds)
    found = gallery.identify(list(rows), max(most), lowest, score)
    return [[match for match in matches if threshold is None or match.cosine >= threshold][:k]
            for matches, k, threshold in zip(found, most, thresholds)]
