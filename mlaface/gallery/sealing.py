"""How bytes are kept: with a checksum, or encrypted. Damage, and rows that were put in another's place, are found.

What is sealed is bound to where it belongs: the gallery, what it is (``embedding``, ``record``, ...) and whose.
"""
import hashlib
import hmac
import os
import re
import zlib
from pathlib import Path

from mlaface.utils.errors import InputError
from mlaface.utils.packages import import_optional

KEY = 'MLAFACE_GALLERY_KEY'
PROOF = b'mlaface'


class Checked:
    """A CRC-32 behind the bytes; anybody who has the file can read it.

    Args:
        gallery (str): What names this gallery among all.
    """
    kind = 'crc32'

    def __init__(self, gallery):
        self.start = {}
        self.gallery = gallery

    def _crc(self, what, owner):
        if what not in self.start:
            self.start[what] = zlib.crc32(f'{self.gallery} {what}'.encode())
        return zlib.crc32(owner.to_bytes(8, 'big'), self.start[what])

    def seal(self, data, what, owner):
        """Bytes as they are kept.

        Args:
            data (bytes): What is kept.
            what (str): What it is.
            owner (int): Number of whose it is.
        """
        return data + zlib.crc32(data, self._crc(what, owner)).to_bytes(4, 'big')

    def unseal(self, sealed, what, owner):
        """What ``seal`` was given.

        Raises:
            InputError: If it is not what was kept there.
        """
        data, stated = sealed[:-4], sealed[-4:]
        if zlib.crc32(data, self._crc(what, owner)).to_bytes(4, 'big') != stated:
            raise InputError(f'{what} of person {owner} is damaged: go back to a copy or an export, or delete the '
                             'person and enrol again')
        return data

    def person_key(self, name):
        """What people are found by (bytes): the name."""
        return name.encode()


class Encrypted:
    """AES-256-GCM by the library ``cryptography``; names are found by their HMAC-SHA-256.

    Args:
        gallery (str): What names this gallery among all.
        key (bytes): 32 secret bytes.
    """
    kind = 'aes-256-gcm'

    def __init__(self, gallery, key):
        aead = import_optional('cryptography.hazmat.primitives.ciphers.aead', 'an encrypted gallery')
        self.gallery = gallery.encode()
        self.cipher = aead.AESGCM(self._derived(key, b'content'))
        self.names = self._derived(key, b'names')

    def _derived(self, key, use):
        """A key for one use and one gallery, so that galleries that share a key share no more."""
        return hmac.digest(key, use + b' ' + self.gallery, 'sha256')

    def _bound(self, what, owner):
        return b'%b %b %d' % (self.gallery, what.encode(), owner)

    def seal(self, data, what, owner):
        """As ``Checked.seal``: a random nonce of 12 bytes, the cipher text, a tag of 16 bytes."""
        nonce = os.urandom(12)
        return nonce + self.cipher.encrypt(nonce, data, self._bound(what, owner))

    def unseal(self, sealed, what, owner):
        """As ``Checked.unseal``."""
        from cryptography.exceptions import InvalidTag
        try:
            return self.cipher.decrypt(sealed[:12], sealed[12:], self._bound(what, owner))
        except (InvalidTag, ValueError) as error:
            raise InputError(f'{what} of person {owner} was changed or is damaged, or the key is another one'
                             ) from error

    def person_key(self, name):
        """What people are found by (bytes): without the key nobody can tell whose it is, nor try names."""
        return hmac.digest(self.names, name.encode(), 'sha256')


def read_key(file=None):
    """The key of an encrypted gallery.

    Args:
        file (str or None): Has it as 64 hexadecimal digits; None takes the environment variable
            ``MLAFACE_GALLERY_KEY``.

    Returns:
        bytes or None: 32 bytes; None where none is given.

    Raises:
        InputError: If it is no such key; does not show it.
    """
    text = Path(file).read_text(errors='replace') if file else os.environ.get(KEY, '')
    text = text.strip()
    if not text and not file:
        return None
    if not re.fullmatch('[0-9a-fA-F]{64}', text):
        raise InputError(f'the key in {file or KEY} is not 64 hexadecimal digits: make one by '
                         'openssl rand -hex 32')
    return bytes.fromhex(text)


def proof(seal):
    """What is kept so that a wrong key is found when the gallery is opened (str)."""
    return seal.seal(PROOF, 'proof', 0).hex()


def open_seal(header, key, place):
    """The seal of a gallery that is there.

    Args:
        header (dict): The gallery's.
        key (bytes or None): Its key.
        place (str): For messages.

    Returns:
        Checked or Encrypted: With which its rows are read.

    Raises:
        InputError: If there is no key where one is needed, or it is another's.
    """
    if header['sealing'] == Checked.kind:
        if key is not None:
            raise InputError(f'{place} is not encrypted, and a key is given (see {KEY}): leave it out, or export '
                             'it and import it into a new gallery, which is then encrypted')
        return Checked(header['id'])
    if key is None:
        raise InputError(f'{place} is encrypted: give its key by --key-file FILE or the variable {KEY}')
    seal = Encrypted(header['id'], key)
    try:
        seal.unseal(bytes.fromhex(header['proof']), 'proof', 0)
    except InputError:
        fingerprint = hashlib.sha256(key).hexdigest()[:8]
        raise InputError(f'{place} was encrypted with another key than the given one (fingerprint {fingerprint})'
                         ) from None
    return seal
