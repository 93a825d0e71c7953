"""Who may ask: keys that are kept as hashes, each with a gallery of its name."""
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import NamedTuple

from mlaface.serve.refusals import RefusedError
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.files import atomic_path

VARIABLE = 'MLAFACE_SERVE_KEYS'
NAME = re.compile('[a-z0-9][a-z0-9_-]{0,62}')
LINE = re.compile('([^:]+):sha256:([0-9a-f]{64})(:read)?')


class Caller(NamedTuple):
    """Whose key it is.

    Args:
        name (str): Of the gallery; several keys of one name share it.
        may_write (bool): Whether people may be enrolled and deleted.
    """
    name: str
    may_write: bool = True


NOBODY_ELSE = Caller('default')  # without keys


class Keys:
    """The keys that are known.

    A key is 256 random bits, which no list of words holds, so that one SHA-256 is a safe way to keep it.

    Args:
        text (str): A line ``NAME:sha256:HASH`` or ``NAME:sha256:HASH:read`` a key; empty lines and ``# ...`` are passed
            over.
        place (str): Where it comes from, for messages.

    Raises:
        InputError: If a line is none of these; says which, and does not show it.
    """

    def __init__(self, text='', place='the keys'):
        self._known = []
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line.startswith('#'):
                continue
            found = LINE.fullmatch(line)
            if not found or not NAME.fullmatch(found[1]):
                raise InputError(f'{place}: line {number} is no NAME:sha256:HASH, with a name of {NAME.pattern}: let '
                                 'mlaface serve --keys FILE --make-key NAME write it')
            self._known.append((Caller(found[1], not found[3]), found[2]))

    def __len__(self):
        return len(self._known)

    @classmethod
    def read(cls, file=None):
        """The keys of a file, or of the variable ``MLAFACE_SERVE_KEYS``.

        Raises:
            MissingDataError: If there is no such file; says how one is made.
            OSError: If the file cannot be read.
            InputError: If a file holds none.
        """
        if file is None:
            return cls(os.environ.get(VARIABLE, ''), VARIABLE)
        if not Path(file).exists():
            raise MissingDataError(f'no file of keys at {file}: make one by mlaface serve --keys {file} --make-key '
                                   'NAME; a container is given it by -v')
        keys = cls(Path(file).read_text(encoding='utf-8', errors='replace'), str(file))
        if not keys:
            raise InputError(f'{file} holds no key: make one by mlaface serve --keys {file} --make-key NAME')
        return keys

    def caller(self, headers):
        """Whose request it is.

        Args:
            headers (Mapping[str, str]): Of the request: ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``.

        Returns:
            Caller: Found in the same time whichever key it is.

        Raises:
            RefusedError: 401 if there is no key, or it is none of these.
        """
        if not self._known:
            return NOBODY_ELSE
        scheme, _, given = headers.get('authorization', '').partition(' ')
        given = given if scheme.lower() == 'bearer' else headers.get('x-api-key', '')
        if not given:
            raise RefusedError('this server wants a key: send the header "Authorization: Bearer KEY"', 401, 'no_key')
        digest, found = digest_of(given), None
        for caller, known in self._known:
            if hmac.compare_digest(digest, known):
                found = caller
        if found is None:
            raise RefusedError('the key is not known here: ask who runs this server for one', 401, 'unknown_key')
        return found


def digest_of(key):
    """What is kept of a key: SHA-256 as hexadecimal digits (str)."""
    return hashlib.sha256(key.strip().encode('utf-8', 'replace')).hexdigest()


def make_key(file, name, read_only=False):
    """Add a new key to a file of hashes, which is made if there is none, for its owner's eyes only.

    Args:
        file (str | Path): The file.
        name (str): Of the gallery that it opens.
        read_only (bool): It may not enrol and delete.

    Returns:
        str: The key. It is kept nowhere.

    Raises:
        InputError: If the name is none, or the file no file of keys.
    """
    if not NAME.fullmatch(name):
        raise InputError(f'{name!r} cannot be the name of a key: small letters, digits, "-" and "_" are taken, at most '
                         '63')
    path, key = Path(file), secrets.token_urlsafe(32)
    before = path.read_text(encoding='utf-8') if path.is_file() else ''
    Keys(before, str(file))
    line = f'{name}:sha256:{digest_of(key)}{":read" if read_only else ""}\n'
    with atomic_path(path) as temporary:
        temporary.write_text(before + ('\n' if before and not before.endswith('\n') else '') + line, encoding='utf-8')
    path.chmod(0o600)
    return key
