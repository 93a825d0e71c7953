"""Downloads that can be trusted: resumed after a cut, checked by SHA-256, whole under their final name or absent.

pooch checks full hashes and does not resume; huggingface_hub deletes what it has and checks nothing; requests does
neither. So the bytes are fetched here, and locks are those of ``filelock``.
"""
import os
import re
import time
import urllib.error
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from mlaface.evaluation.networks.common import first_line
from mlaface.evaluation.results.result import file_sha256
from mlaface.utils.certificates import refused_certificate
from mlaface.utils.errors import InputError, UserError
from mlaface.utils.files import sync_folder
from mlaface.zoo.http_request import TIMEOUT, check_url, passing, request

ATTEMPTS = 5  # in a row that bring no byte
MOST_ATTEMPTS = 100
MOST_BYTES = 16 << 30
PIECE = 1 << 18
PAUSES = 0.5, 8.0  # seconds after the first and at most


class DownloadError(UserError, OSError):
    """A file that could not be fetched."""


def is_offline():
    """Whether the environment variable ``MLAFACE_OFFLINE`` forbids the network (bool)."""
    return os.environ.get('MLAFACE_OFFLINE', '').lower() not in ('', '0', 'false', 'no')


def download(url, path, sha256, size=None, headers=None, progress=None, timeout=TIMEOUT, pause=PAUSES[0]):
    """Fetch a file once, however many processes ask for it.

    Args:
        url (str): Of http or https.
        path (str | Path): The file; ``PATH.part`` holds what is there so far, and outlives a kill.
        sha256 (str): Its SHA-256, or the first eight or more digits of it.
        size (int or None): Its bytes, if they are known.
        headers (dict or None): Of the request.
        progress (callable or None): Is told ``(bytes so far, bytes in all or None)``.
        timeout (float): Seconds without a byte before an attempt ends.
        pause (float): Seconds after the first attempt that brought nothing; doubled with each.

    Returns:
        Path: ``path``, whose bytes have the hash.

    Raises:
        InputError: If the address or the hash is none, or the server's file has another hash or size.
        DownloadError: If it cannot be fetched; says why, and what to do.
    """
    path = Path(path)
    check_url(url)
    if not re.fullmatch(r'[0-9a-f]{8,64}', sha256):
        raise InputError(f'{sha256!r} is no SHA-256 to check {url} by: eight or more of its digits are needed')
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f'{path}.lock'):
        if path.is_file() and has_hash(path, sha256):
            return path
        if is_offline():
            raise DownloadError(f'{path.name} is not in the cache ({path.parent}), and MLAFACE_OFFLINE is set: fetch '
                                f'{url} on another machine and put it there, or name a folder by MLAFACE_MIRROR')
        return _Transfer(url, path, sha256, size, headers, progress, timeout, pause).run()


def has_hash(path, sha256):
    """Whether a file's SHA-256 begins with these digits (bool)."""
    return file_sha256(path).startswith(sha256)


class _Transfer:
    """One file on its way; whoever has one holds the lock."""

    def __init__(self, url, path, sha256, size, headers, progress, timeout, pause):
        self.url, self.path, self.sha256, self.size = url, path, sha256, size
        self.part = path.with_name(f'{path.name}.part')
        self.headers, self.progress, self.timeout, self.pause = headers, progress, timeout, pause

    def run(self):
        """Fetch, check, rename."""
        resumed = self._have() > 0
        self._fetch()
        if resumed and not has_hash(self.part, self.sha256):
            self.part.unlink()  # what lay there was of another file
            self._fetch()
        if not has_hash(self.part, self.sha256):
            found, length = file_sha256(self.part), self._have()
            self.part.unlink()
            raise InputError(f'{self.url} is not the file that is wanted: its SHA-256 is {found} ({length:,} bytes), '
                             f'and it must begin with {self.sha256}. Nothing was kept; ask who publishes it')
        with open(self.part, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(self.part, self.path)
        sync_folder(self.path.parent)
        return self.path

    def _have(self):
        return self.part.stat().st_size if self.part.is_file() else 0

    def _fetch(self):
        """Bring ``part`` to its full length, in as many attempts as bring something."""
        idle = 0
        for _ in range(MOST_ATTEMPTS):
            before = self._have()
            try:
                if self._attempt(before):
                    return
                reason = 'the connection ended early'
            except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
                reason = _reason(error, self.timeout)
                if not passing(error):
                    raise DownloadError(f'{self.url} cannot be fetched: {reason}') from error
            idle = idle + 1 if self._have() <= before else 0
            if idle == ATTEMPTS:
                break
            time.sleep(min(self.pause * 2 ** idle, PAUSES[1]))
        raise DownloadError(f'{self.url} cannot be fetched: {reason}. {self._have():,} bytes are kept: the same '
                            'command continues from there')

    def _attempt(self, start):
        """One request; True when the file is complete."""
        try:
            response = request(self.url, start, self.headers, self.timeout)
        except urllib.error.HTTPError as error:
            if error.code == 416 and start:  # nothing behind what is there: complete, or of another file
                return True
            raise
        with response:
            start, total = self._place(response, start)
            total = self.size if total is None else total
            with open(self.part, 'r+b' if start else 'wb') as file:
                file.seek(start)
                file.truncate()
                have = self._copy(response, file, start, total)
        return total is None or have == total

    def _place(self, response, start):
        """Where the answer begins, and how long the whole file is as the server says, or None."""
        length = response.headers.get('Content-Length')
        length = int(length) if length and length.isdigit() else None
        if response.status == 206:
            stated = re.fullmatch(r'bytes (\d+)-(\d+)/(\d+|\*)', response.headers.get('Content-Range', '').strip())
            if not stated or int(stated[1]) != start:
                self.part.unlink(missing_ok=True)
                raise ConnectionError('the server sent another part than was asked for')
            total = int(stated[3]) if stated[3] != '*' else None if length is None else start + length
        else:
            start, total = 0, length
        if self.size is not None and total is not None and total != self.size:
            raise InputError(f'{self.url} has {total:,} bytes, and {self.size:,} are wanted: it is another file')
        return start, total

    def _copy(self, response, file, have, total):
        """Write what comes; more than is wanted is refused."""
        limit = self.size or total or MOST_BYTES
        while block := response.read1(PIECE):
            have += len(block)
            if have > min(limit, MOST_BYTES):
                raise InputError(f'{self.url} sends more than {min(limit, MOST_BYTES):,} bytes: it is another file')
            file.write(block)
            if self.progress is not None:
                self.progress(have, self.size or total)
        return have


def _reason(error, timeout):
    """What went wrong, in words."""
    if isinstance(error, urllib.error.HTTPError):
        return f'the server says {error.code} ({first_line(error.reason)})'
    if refused := refused_certificate(error):
        return refused
    inner = getattr(error, 'reason', error)
    return f'no byte came for {timeout:g} seconds' if isinstance(inner, TimeoutError) else first_line(inner)
