"""Where a set lies in a store: ``s3://bucket/folder``, ``https://host/folder``; never with credentials in it."""
import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mlaface.utils.errors import InputError

SCHEMES = ('http', 'https', 's3')
OPTIONS = ('anon', 'endpoint_url', 'requester_pays')  # of s3fs; none of them is a secret
CACHE_GB = 50.0
LEAST_BLOCKS = 16


@dataclass(frozen=True)
class StoreSettings:
    """How a store is read.

    Args:
        cache_gb (float, optional): Most gigabytes (10^9 bytes) of the cache's blocks, of all stores and processes
            together; default: the environment variable ``MLAFACE_CACHE_GB``, or 50.
        block_kb (int): Kibibytes of a block, the unit of reading and of the cache. Default 1024.
        timeout (float): Seconds without a byte before an attempt ends; four times as long for a whole one. Default 30.
        attempts (int): Attempts of a request before the store counts as failed. Default 5.
        pause (float): Seconds after the first failed attempt; doubled with each, 8 at most. Default 0.5.
        options (tuple): Pairs of what ``s3fs`` takes: ``anon``, ``endpoint_url``, ``requester_pays``.
    """
    cache_gb: float = None
    block_kb: int = 1024
    timeout: float = 30.0
    attempts: int = 5
    pause: float = 0.5
    options: tuple = ()

    def __post_init__(self):
        if self.cache_gb is None:
            object.__setattr__(self, 'cache_gb', _cache_gb())
        for name in ('cache_gb', 'block_kb', 'timeout', 'attempts', 'pause'):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
                raise InputError(f'data_root: {name} is {value!r}; it must be a number above 0')
        if self.block_kb != int(self.block_kb) or self.attempts != int(self.attempts):
            raise InputError(f'data_root: block_kb={self.block_kb} and attempts={self.attempts} must be whole numbers')
        if self.limit < LEAST_BLOCKS * self.block:
            raise InputError(f'data_root: cache_gb={self.cache_gb:g} holds no {LEAST_BLOCKS} blocks of '
                             f'{self.block_kb} KiB: raise it (MLAFACE_CACHE_GB), or lower block_kb')

    @property
    def block(self):
        """Bytes of a block (int)."""
        return int(self.block_kb) << 10

    @property
    def limit(self):
        """Most bytes of all blocks (int)."""
        return int(self.cache_gb * 1e9)


def _cache_gb():
    text = os.environ.get('MLAFACE_CACHE_GB')
    try:
        return float(text) if text else CACHE_GB
    except ValueError as error:
        raise InputError(f'MLAFACE_CACHE_GB is {text!r}; it must be a number of gigabytes') from error


@dataclass(frozen=True)
class StoreAddress:
    """A file or folder of a store, joined by ``/`` as a path is.

    Args:
        url (str): Its address.
        settings (StoreSettings): How it is read.
    """
    url: str
    settings: StoreSettings = field(default_factory=StoreSettings)

    def __post_init__(self):
        object.__setattr__(self, 'url', _checked(self.url))

    def __str__(self):
        return self.url

    def __truediv__(self, name):
        return StoreAddress(f'{self.url.rstrip("/")}/{plain_part(name, self)}', self.settings)

    @property
    def scheme(self):
        """``http``, ``https`` or ``s3`` (str)."""
        return self.url.partition(':')[0]

    @property
    def name(self):
        """The last part (str)."""
        return self.url.rpartition('/')[2]

    @property
    def suffix(self):
        """The ending of the last part, with its dot (str)."""
        return os.path.splitext(self.name)[1]

    @property
    def parent(self):
        """The folder that it is in."""
        return StoreAddress(self.url.rpartition('/')[0], self.settings)

    def with_suffix(self, suffix):
        """The same with another ending."""
        return StoreAddress(self.url.removesuffix(self.suffix) + suffix, self.settings)


def is_address(path):
    """Whether what a config states is an address in a store, and no path (bool)."""
    return (isinstance(path, (StoreAddress, dict))
            or isinstance(path, str) and re.match(r'[A-Za-z][\w+.:-]*://', path) is not None)


def store_address(stated):
    """The address that a config states.

    Args:
        stated (str | dict | StoreAddress): The address, or ``dict(address=..., cache_gb=..., options=dict(...))`` with
            what ``StoreSettings`` takes.

    Returns:
        StoreAddress: Checked.

    Raises:
        InputError: If it is none, or holds what is secret; never shows that.
    """
    if isinstance(stated, StoreAddress):
        return stated
    settings = dict(stated) if isinstance(stated, dict) else dict(address=stated)
    address, options = settings.pop('address', None), dict(settings.pop('options', None) or {})
    unknown = [*(settings.keys() - StoreSettings.__dataclass_fields__.keys()), *(options.keys() - set(OPTIONS))]
    if unknown:
        raise InputError(f'data_root: {", ".join(sorted(map(str, unknown)))}: a store takes address, '
                         f'{", ".join(StoreSettings.__dataclass_fields__)}; its options are {", ".join(OPTIONS)}. '
                         'Credentials come from the environment, ~/.aws or ~/.netrc, never from a config')
    if not isinstance(address, str):
        raise InputError(f'data_root: a store is given as address=..., not {type(address).__name__}')
    if 'endpoint_url' in options:
        _checked(str(options['endpoint_url']))
    return StoreAddress(address, StoreSettings(options=tuple(sorted(options.items())), **settings))


def plain_part(name, where):
    """A name below an address, which must stay below it: no other scheme, no way up.

    Args:
        name (str): Relative path.
        where (StoreAddress): Who states it, for messages.

    Returns:
        str: ``name``.

    Raises:
        InputError: If it leads elsewhere.
    """
    parts = str(name).split('/')
    if not all(parts) or {'.', '..'} & set(parts) or re.search(r'[:\\?#\x00-\x1f]', str(name)):
        raise InputError(f'{where}: {str(name)[:80]!r} is no name of a file below it, and is not followed')
    return str(name)


def _checked(url):
    """An address without its last slash; ``InputError`` says what is wrong without showing what may be secret."""
    scheme, _, rest = url.partition('://')
    if scheme.lower() not in SCHEMES:
        raise InputError(f'{scheme[:20]}:// is no store that sets are read from: {", ".join(SCHEMES)} are, and paths')
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname, '@' in parts.netloc
    except ValueError:
        host, secret = None, True
    if secret or parts.query or parts.fragment:
        raise InputError(f'{scheme}://{host or ""}...: an address holds no user, password, query or fragment, since it '
                         'is logged and saved: credentials come from the environment, ~/.aws or ~/.netrc')
    if not host:
        raise InputError(f'{url!r} names no host or bucket')
    return f'{scheme.lower()}://{rest.rstrip("/")}'
