"""What every request passes: who asks, from where, how many at once, how large, how long; and what is noted of it."""
import asyncio
import json
import logging
import time
from collections import Counter
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from mlaface.serve.refusals import RefusedError

OPEN = ('/health/', '/page/')
OPEN_PATHS = ('/', '/docs', '/openapi.json')
SAFE = {'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY',
        'cross-origin-resource-policy': 'same-origin', 'cross-origin-opener-policy': 'same-origin',
        'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
        'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' blob: data:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
MISTAKE = 'a mistake of the server: its log says more'
LOG = logging.getLogger('mlaface.serve')


class Gate:
    """An ASGI application around another.

    Args:
        app (callable): The endpoints.
        keys (Keys): Who may ask; without any, only a browser or program of this machine.
        limits (Limits): What is refused.
        metrics (Metrics): What is counted.
    """

    def __init__(self, app, keys, limits, metrics):
        self.app, self.keys, self.limits, self.metrics = app, keys, limits, metrics
        self._busy = Counter()

    async def __call__(self, scope, receive, send):
        """Answer a request, or refuse it."""
        if scope['type'] != 'http':
            return await self.app(scope, receive, send)
        start, seen = time.perf_counter(), dict(status=None)

        async def answer(message):
            if message['type'] == 'http.response.start':
                seen['status'] = message['status']
                message['headers'] = _headers(message.get('headers', ()), scope['path'])
            await send(message)
        try:
            await self._pass(scope, receive, answer)
        except RefusedError as error:
            await refuse(error, answer, seen, self.metrics)
        except Exception:  # its text might hold what was sent
            LOG.exception('%s %s failed', scope['method'], endpoint_of(scope))
            await refuse(RefusedError(MISTAKE, 500, 'internal_error'), answer, seen, self.metrics)
        finally:
            seconds = time.perf_counter() - start
            self.metrics.answered(endpoint_of(scope), seen['status'] or 499, seconds)
            LOG.info('%s %s %s %.0f ms', scope['method'], endpoint_of(scope), seen['status'], 1000 * seconds)

    async def _pass(self, scope, receive, answer):
        headers = Headers(scope=scope)
        if not self.keys:
            check_neighbour(headers)
        path = scope['path']
        if path in OPEN_PATHS or path.startswith(OPEN):
            return await self.app(scope, receive, answer)
        caller = self.keys.caller(headers)
        scope.setdefault('state', {})['caller'] = caller
        if path == '/metrics':
            return await self.app(scope, receive, answer)
        with self._place(caller):
            work = self.app(scope, self._limited(headers, receive), answer)
            try:
                return await asyncio.wait_for(work, self.limits.seconds)
            except asyncio.TimeoutError:
                raise RefusedError(f'not done within {self.limits.seconds:g} seconds: send smaller images, or come '
                                   'again when there is less to do', 504, 'timeout') from None

    @contextmanager
    def _place(self, caller):
        """A place among the requests that are worked on or wait."""
        if self._busy.total() >= self.limits.queue:
            raise RefusedError(f'{self.limits.queue} requests are waiting already: come again in a second', 503, 'busy',
                               retry=1)
        if self._busy[caller.name] >= self.limits.share:
            raise RefusedError(f'{self.limits.share} requests of this key are waiting already: send fewer at once', 429,
                               'too_many_requests', retry=1)
        self._busy[caller.name] += 1
        self.metrics.busy.inc()
        try:
            yield
        finally:
            self._busy[caller.name] -= 1
            self.metrics.busy.dec()

    def _limited(self, headers, receive):
        """``receive``, which refuses a body that is too large or too slow."""
        stated = headers.get('content-length', '')
        too_large = RefusedError(f'the body is larger than {self.limits.body:,} bytes: scale the images down', 413,
                                 'too_large')
        if stated.isdigit() and int(stated) > self.limits.body:
            raise too_large
        end, read = time.monotonic() + self.limits.upload, 0
        whole = False

        async def limited():
            nonlocal read, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(end - time.monotonic(), 0))
            except asyncio.TimeoutError:
                raise RefusedError(f'the body did not come within {self.limits.upload:g} seconds', 408, 'slow_upload'
                                   ) from None
            if message['type'] == 'http.disconnect':
                raise RefusedError('the caller has gone', 400, 'gone')
            read, whole = read + len(message.get('body', b'')), not message.get('more_body', False)
            if read > self.limits.body:
                raise too_large
            return message
        return limited


async def refuse(error, send, seen, metrics):
    """Answer by an error, unless an answer has begun.

    Args:
        error (RefusedError): Why.
        send (callable): Of ASGI.
        seen (dict): ``status`` of an answer that has begun, or None.
        metrics (Metrics): Counts it.
    """
    if seen['status'] is not None:
        return
    metrics.refused.labels(error.code).inc()
    body = json.dumps(error.content).encode()
    headers = {'content-type': 'application/json', 'content-length': str(len(body)), **error.headers}
    await send(dict(type='http.response.start', status=error.status,
                    headers=[(key.encode(), value.encode()) for key, value in headers.items()]))
    await send(dict(type='http.response.body', body=body))


def endpoint_of(scope):
    """The route that a request took, without what stands in its place (str): names of people are not noted."""
    return getattr(scope.get('route'), 'path', 'other')


def check_neighbour(headers):
    """Without keys: refuse what a page from elsewhere makes a browser of this machine send.

    Args:
        headers (Mapping[str, str]): Of the request.

    Raises:
        RefusedError: 403 if it comes from another site, or asks for a host that is not this machine (a name that was
            made to point here).
    """
    host = headers.get('host', '')
    if not is_loopback(urlsplit(f'//{host}').hostname):
        raise RefusedError('a server without keys is asked by the name of this machine, as in http://localhost', 403,
                           'wrong_host')
    origin = headers.get('origin')
    if headers.get('sec-fetch-site', 'none') not in ('none', 'same-origin') or \
            origin is not None and urlsplit(origin).netloc != host:
        raise RefusedError('another site may not use this server', 403, 'cross_site')


def is_loopback(host):
    """Whether a name or an address is this machine's own (bool)."""
    try:
        return host == 'localhost' or ip_address(host or '').is_loopback
    except ValueError:
        return False


def _headers(given, path):
    found = dict(given)
    found.update((key.encode(), value.encode()) for key, value in SAFE.items())
    if not path.startswith('/page/'):
        found.setdefault(b'cache-control', b'no-store')
    return list(found.items())
