"""A web server on loopback that does what servers do when they should not."""
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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


@contextmanager
def serve(files, faults=None, handler=None):
    """Serve ``files`` (path -> bytes); gives the address."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler or _handler(files, faults or Faults()))
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # a client that hung up
    thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_address[1]}'
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
