"""Requests to a store by fsspec: in time, tried again a few times, and what then still fails in a line."""
import asyncio
import logging
import os
import random
import time
from typing import NamedTuple

from mmengine.logging import print_log

from mlaface.datasets.stores.errors import ChangedError, RefusedError
from mlaface.utils.certificates import refused_certificate
from mlaface.utils.errors import MissingDataError, MissingPackageError, StoreError
from mlaface.utils.packages import import_optional

LONGEST_PAUSE = 8.0
jitter = random.Random()  # its own: the run's numbers stay what they are
_systems = {}


class Head(NamedTuple):
    """Bytes of a file (int), what tells its versions apart (str), and whether parts of it can be read (bool)."""
    size: int
    tag: str
    ranges: bool


def file_system(address):
    """fsspec's file system of an address, one a process and store.

    Args:
        address (StoreAddress): The address.

    Returns:
        AsyncFileSystem: With our time limits, and without attempts of its own.

    Raises:
        MissingPackageError: If it is not installed.
    """
    settings = address.settings
    key = os.getpid(), address.scheme, settings.options, settings.timeout
    if key not in _systems:
        _systems[key] = _made(address, settings)
    return _systems[key]


def _made(address, settings):
    if address.scheme == 's3':
        import_optional('s3fs', address)
        from mlaface.datasets.stores.s3_objects import ListedS3
        system = ListedS3(skip_instance_cache=True, use_listings_cache=False, **dict(settings.options),
                          config_kwargs=dict(connect_timeout=settings.timeout, read_timeout=settings.timeout,
                                             retries=dict(total_max_attempts=1)))
        system.retries = 1
        return system
    aiohttp = import_optional('aiohttp', address)
    import_optional('fsspec', address)
    from mlaface.datasets.stores.http_ranges import RangedHTTP
    limits = aiohttp.ClientTimeout(total=None, sock_connect=settings.timeout, sock_read=settings.timeout)
    return RangedHTTP(skip_instance_cache=True,
                      client_kwargs=dict(timeout=limits, trust_env=True, auto_decompress=False))


def _call(address, method, **arguments):
    """One attempt, which ends after four times the timeout whatever trickles in."""
    from fsspec.asyn import sync
    system = file_system(address)

    async def limited():
        return await asyncio.wait_for(getattr(system, method)(address.url, **arguments), 4 * address.settings.timeout)
    return sync(system.loop, limited)


def _tried(address, attempt):
    """What an attempt gives, after as many as are allowed."""
    settings = address.settings
    for number in range(1, settings.attempts + 1):
        try:
            return attempt()
        except ChangedError:
            raise ChangedError(f'{address} has become another file since it was looked up') from None
        except (MissingPackageError, StoreError):
            raise
        except FileNotFoundError:
            raise MissingDataError(f'{address} is not there') from None
        except Exception as error:  # of as many kinds as there are libraries below
            reason, passing, refused = _reason(error, settings.timeout)
        if refused:
            raise RefusedError(f'{address}: {reason}') from None
        if not passing or number == settings.attempts:
            break
        print_log(f'{address}: {reason}; attempt {number} of {settings.attempts}', 'current', logging.WARNING)
        time.sleep(min(settings.pause * 2 ** (number - 1), LONGEST_PAUSE) * (0.5 + jitter.random()))
    raise StoreError(f'{address} cannot be read: {reason}' + (f' ({number} attempts)' if number > 1 else '')) from None


def _reason(error, timeout):
    """What went wrong, in words that hold nothing of the request; whether it may pass; whether it is a refusal."""
    code = (getattr(error, 'response', None) or getattr(error.__cause__, 'response', None) or {})
    code = code.get('Error', {}).get('Code', '') if isinstance(code, dict) else ''
    status = getattr(error, 'status', 0)
    kind = type(error).__name__
    if kind in ('NoCredentialsError', 'PartialCredentialsError'):
        return ('no credentials were found: set them in the environment or ~/.aws, or options=dict(anon=True) for a '
                'public bucket'), False, True
    if isinstance(error, PermissionError) or status in (401, 403):
        said = f' ({code or status})' if code or status else ''
        return f'access is refused{said}: credentials come from the environment, ~/.aws or ~/.netrc', False, True
    if hasattr(error, 'reason') and hasattr(error, 'passing'):
        if status in (404, 410):
            return 'it is not there any more', False, False
        return error.reason, error.passing, False
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)) or 'Timeout' in kind:
        return f'no byte came for {timeout:g} seconds', True, False
    if refused := refused_certificate(error):
        return refused, False, False
    number = getattr(error, 'errno', None)
    return code or (os.strerror(number) if isinstance(number, int) and number > 0 else kind), True, False


def head(address):
    """Size and version of a file.

    Args:
        address (StoreAddress): The file.

    Returns:
        Head: Its size, tag, and whether it is read in parts.

    Raises:
        MissingDataError: If it is not there.
        StoreError: If the store does not tell; ``RefusedError`` if it does not let us in.
    """
    def attempt():
        try:
            return _call(address, '_info')
        except Exception as error:
            if getattr(error, 'status', 0) in (404, 410):
                raise FileNotFoundError from None
            raise
    found = _tried(address, attempt)
    if found['type'] != 'file':
        raise MissingDataError(f'{address} is a folder, not a file')
    if (found.get('ContentType') or '').startswith('text/html'):
        raise StoreError(f'{address} is a page of HTML, not the file')
    return Head(int(found['size']), str(found.get('ETag') or found.get('LastModified') or ''),
                found.get('ranges', True))


def list_page(folder, token=None):
    """A page of what lies below a folder of S3, however deep.

    Args:
        folder (StoreAddress): The folder.
        token (str, optional): What the page before gave.

    Returns:
        tuple[list[tuple[str, int, str]], str | None]: Path below the folder, bytes and tag of each of at most 1000
        files, and what to ask the next page by; None behind the last.

    Raises:
        MissingDataError, StoreError: As ``head`` does.
    """
    return _tried(folder, lambda: _call(folder, '_page', token=token))


def read_range(address, start, size, tag=''):
    """A part of a file, all of it.

    Args:
        address (StoreAddress): The file.
        start (int): First byte.
        size (int): Bytes.
        tag (str): Which version it must be of, as ``head`` gives it; S3 says so with each part.

    Returns:
        bytes: As many as were asked for.

    Raises:
        MissingDataError, StoreError: As ``head`` does.
    """
    if not size:
        return b''

    def attempt():
        data = _call(address, '_cat_file', start=start, end=start + size, tag=tag)
        if len(data) != size:
            raise ConnectionError(f'{len(data)} of {size} bytes came')
        return data
    return _tried(address, attempt)
