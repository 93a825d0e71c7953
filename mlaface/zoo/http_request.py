"""One request: http and https only, wherever it is redirected to, and keys for the first host alone."""
import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request

from mlaface.utils.certificates import refused_certificate
from mlaface.utils.errors import InputError
from mlaface.version import __version__

SCHEMES = ('http', 'https')
TIMEOUT = 30.0  # seconds without a byte


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows at most five redirects, to http and https, and never from https to http."""
    max_redirections = 5
    max_repeats = 5

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """The next request; see the base class."""
        here, there = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if there.scheme not in SCHEMES or (here.scheme, there.scheme) == ('https', 'http'):
            raise InputError(f'{req.full_url} is redirected to {newurl}, which is not followed: only http and https '
                             'are, and not from https to http')
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if here.netloc != there.netloc:
            request.remove_header('Authorization')
        return request


def opener():
    """An opener that knows http and https and nothing else; proxies as the environment says."""
    made = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
                    urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor, Redirects):
        made.add_handler(handler())
    return made


def check_url(url):
    """Refuse what is no address of a web server.

    Raises:
        InputError: Names the address.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc:
        raise InputError(f'{url} is no address to download from: http and https are')


def request(url, start=0, headers=None, timeout=TIMEOUT):
    """Ask for a file from a byte on.

    Args:
        url (str): Of http or https.
        start (int): First byte; a server that knows no ranges sends the whole file.
        headers (dict or None): Besides.
        timeout (float): Seconds without a byte before it fails.

    Returns:
        HTTPResponse: To be closed.

    Raises:
        InputError: If the address, or one that it is redirected to, is not of http or https.
        OSError, HTTPException: As ``urllib`` raises them.
    """
    check_url(url)
    wanted = {'User-Agent': f'mlaface/{__version__}', 'Accept-Encoding': 'identity', **(headers or {})}
    if start:
        wanted['Range'] = f'bytes={start}-'
    return opener().open(urllib.request.Request(url, headers=wanted), timeout=timeout)


def passing(error):
    """Whether an error may be gone at the next attempt (bool)."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in (408, 425, 429) or error.code >= 500
    if refused_certificate(error):
        return False
    return isinstance(error, (urllib.error.URLError, TimeoutError, ConnectionError, ssl.SSLError,
                              http.client.HTTPException))
