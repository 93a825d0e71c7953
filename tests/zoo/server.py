"""A web server on loopback that does what servers do when they should not."""
import ssl
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme


class Faults:
    """What goes wrong: each request takes the next fault, and after the last one all is well.

    A fault is a dict: ``cut`` after so many bytes, ``stall`` seconds before the body, ``status``, ``redirect`` to an
    address, ``length`` that is stated, ``body`` that is sent, ``no_ranges``, ``other_range``, ``no_length``,
    ``fields`` of the head.
    """

    def __init__(self, *faults, always=()):
        self.faults, self.always, self.requests = list(faults), dict(always), []
        self.lock = threading.Lock()

    def next(self, handler):
        with self.lock:
            self.requests.append((handler.path, handler.headers.get('Range'), dict(handler.headers)))
            taken = self.faults.pop(0) if self.faults else {}
        return {**self.always, **taken}


def _handler(files, faults):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def log_message(self, *args):
            pass

        def do_GET(self):
            fault = faults.next(self)
            self.close_connection = True
            if 'redirect' in fault:
                return self._head(302, Location=fault['redirect'], **{'Content-Length': 0})
            self.path = self.path.partition('?')[0]
            if 'status' in fault or self.path not in files:
                return self._head(fault.get('status', 404), **{'Content-Length': 0})
            body, start, ranged = fault.get('body', files[self.path]), 0, False
            stop = len(body)
            if self.headers.get('Range') and 'no_ranges' not in fault:
                ranged = True
                start, _, last = self.headers['Range'].removeprefix('bytes=').partition('-')
                start, stop = int(start), min(int(last) + 1, len(body)) if last else len(body)
                if start >= len(body):
                    return self._head(416, **{'Content-Range': f'bytes */{len(body)}', 'Content-Length': 0})
            length = fault.get('length', stop) - start
            fields = {} if 'no_length' in fault else {'Content-Length': length}
            if ranged:
                first = 0 if 'other_range' in fault else start
                fields['Content-Range'] = f'bytes {first}-{stop - 1}/{fault.get("length", len(body))}'
            time.sleep(fault.get('stall', 0))
            fields.update(fault.get('fields', {}))
            self._head(206 if ranged else 200, **fields)
            self.wfile.write(body[start:stop][:fault.get('cut')])

        def _head(self, status, **fields):
            self.send_response(status)
            for key, value in {**fields, 'Connection': 'close'}.items():
                self.send_header(key, str(value))
            self.end_headers()
    return Handler


def certified(folder):
    """An authority of its own in a folder: what a server of 127.0.0.1 needs, and the file that clients trust it by."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert('127.0.0.1').configure_cert(tls)
    authority.cert_pem.write_to_path(folder / 'authority.pem')
    return tls, str(folder / 'authority.pem')


@contextmanager
def serve(files, faults=None, handler=None, tls=None):
    """Serve ``files`` (path -> bytes), by https where ``tls`` (ssl.SSLContext) is given; gives the address."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler or _handler(files, faults or Faults()))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # a client that hung up
    thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield f'http{"s" if tls else ""}://127.0.0.1:{server.server_address[1]}'
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
