"""Where a file is looked for before its own address: a folder or a server that the user names."""
import os
import shutil
import urllib.parse
import urllib.request
from pathlib import Path

from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path
from mlaface.zoo.download import DownloadError, download, has_hash, is_offline
from mlaface.zoo.http_request import SCHEMES


def fetch(url, path, sha256, size=None, headers=None, progress=None):
    """Fetch a file from the mirror that the environment variable ``MLAFACE_MIRROR`` names, or from its own address.

    A mirror is a folder, or the address of a server's; files lie in it under their names.

    Args:
        url (str): The file's own address.
        path (str | Path): Where to.
        sha256 (str): Its SHA-256, which a mirror's file must have too.
        size (int or None): Its bytes, if they are known.
        headers (dict or None): For its own address; a mirror is not told of them.
        progress (callable or None): As in ``download``.

    Returns:
        Path: ``path``.

    Raises:
        InputError: If a file has another hash, or the mirror is neither folder nor address.
        DownloadError: If it is nowhere.
    """
    mirror = os.environ.get('MLAFACE_MIRROR')
    if not mirror or (Path(path).is_file() and has_hash(path, sha256)):
        return download(url, path, sha256, size, headers, progress)
    scheme = urllib.parse.urlsplit(mirror).scheme
    if scheme in SCHEMES:
        return _from_server(f'{mirror.rstrip("/")}/{urllib.parse.quote(Path(path).name)}', url, path, sha256, size,
                            headers, progress)
    folder = Path(urllib.request.url2pathname(urllib.parse.urlsplit(mirror).path) if scheme == 'file' else mirror)
    if not folder.is_dir():
        raise InputError(f'MLAFACE_MIRROR={mirror} is neither a folder nor an address of http or https')
    there = folder / Path(path).name
    if not there.is_file():
        return download(url, path, sha256, size, headers, progress)
    return _copied(there, path, sha256)


def _from_server(address, url, path, sha256, size, headers, progress):
    try:
        return download(address, path, sha256, size, None, progress)
    except DownloadError as error:
        if is_offline():
            raise
        try:
            return download(url, path, sha256, size, headers, progress)
        except DownloadError as second:
            raise DownloadError(f'{second} (before it the mirror was tried: {error})') from second


def _copied(source, path, sha256):
    """A copy of a mirror's file, whole and checked."""
    with atomic_path(path) as temporary:
        shutil.copyfile(source, temporary)
        if not has_hash(temporary, sha256):
            raise InputError(f'{source} is not the file that is wanted: its SHA-256 does not begin with {sha256}')
    return Path(path)
