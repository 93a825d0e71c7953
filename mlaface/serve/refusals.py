"""What a request is refused with: a status, a word for programs, and a line that says what to do."""
import logging

from mlaface.gallery.engines.postgresql import is_server
from mlaface.utils.errors import FullDiskError, InputError, UserError

UNREAD = (400, 401, 403, 408, 413, 415, 429, 503)  # the body is left where it is, and the connection ends


class RefusedError(UserError):
    """A request that is not carried out.

    Args:
        message (str): What is wrong, and what to do.
        status (int): Of HTTP.
        code (str): The same in a word that stays the same.
        retry (int or None): Seconds after which to come again.
    """

    def __init__(self, message, status=400, code='bad_request', retry=None):
        super().__init__(message)
        self.status, self.code, self.retry = status, code, retry

    @property
    def headers(self):
        """Further headers of the answer (dict)."""
        found = {} if self.retry is None else {'retry-after': str(self.retry)}
        if self.status in UNREAD:
            found['connection'] = 'close'
        return found | ({'www-authenticate': 'Bearer'} if self.status == 401 else {})

    @property
    def content(self):
        """The answer (dict)."""
        return dict(error=dict(code=self.code, message=str(self)))


def of_gallery(error, place):
    """What a gallery's error means to who asked; the place on the disk, or the database, is not told.

    Args:
        error (Exception): ``UserError`` or ``OSError``.
        place (str): Where the gallery is.

    Returns:
        RefusedError: 507 for a full disk, 422 for what cannot be kept, 503 for a gallery that cannot be used now.
    """
    text = str(error).replace(str(place), 'the gallery')
    if is_server(place) and not isinstance(error, InputError):
        logging.getLogger(__name__).warning('%s', error)  # names hosts and users
        text = 'the database of the gallery cannot be used now; the log of the server says why'
    if isinstance(error, FullDiskError):
        return RefusedError(text, 507, 'disk_full')
    if isinstance(error, InputError):
        return RefusedError(text, 422, 'not_kept')
    return RefusedError(text, 503, 'gallery_unavailable', retry=5)
