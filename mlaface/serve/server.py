"""The server's process: one socket, one event loop; it ends when what was begun is done."""
import signal
import socket
from contextlib import suppress

import uvicorn

from mlaface.serve.gate import is_loopback
from mlaface.utils.errors import InputError, UserError

CONNECTIONS = 1024
HEAD = 32 * 1024  # bytes of a request's head


def check_reach(host, keys):
    """Refuse to answer other machines without keys.

    Args:
        host (str): Name or address that is listened on.
        keys (Keys): Who may ask.

    Raises:
        InputError: If there are none and the host is not this machine's own.
    """
    if not keys and not is_loopback(host):
        raise InputError(f'--host {host} would let everybody in: give --keys FILE (made by --make-key NAME), or stay '
                         'at 127.0.0.1')


def bound(host, port):
    """A socket that listens.

    Args:
        host (str): Name or address.
        port (int): 0 takes a free one.

    Returns:
        socket.socket: Of IPv4 or IPv6.

    Raises:
        UserError: If it cannot be had; says how to take another.
    """
    try:
        # its protocol is named: only then asyncio switches off Nagle's algorithm, which holds an answer for 40 ms
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(address)
        except OSError:
            found.close()
            raise
    except OSError as error:
        raise UserError(f'cannot listen on {host}, port {port} ({error}): name others by --host and --port') from error
    return found


class _Server(uvicorn.Server):
    """Says where it is once it answers."""

    def __init__(self, config, announce):
        super().__init__(config)
        self.announce = announce

    async def startup(self, sockets=None):
        await super().startup(sockets)
        if self.started:
            host, port = sockets[0].getsockname()[:2]
            self.announce(f'http://{f"[{host}]" if ":" in host else host}:{port}')


def run(app, listening, seconds=30, announce=print):
    """Answer until a signal (Ctrl-C, SIGTERM) comes; then take nothing new, and finish what was begun.

    It is called in the main thread: signals come there.

    Args:
        app (callable): Of ``make_app``.
        listening (socket.socket): From ``bound``.
        seconds (float): What was begun may last so long after the signal.
        announce (callable): Is told the address.
    """
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once all is done
            server(app, seconds, announce).run([listening])
    finally:
        signal.signal(signal.SIGTERM, former)


def server(app, seconds=30, announce=print):
    """As ``run``, for who runs it (``uvicorn.Server``)."""
    config = uvicorn.Config(app, http='h11', ws='none', loop='asyncio', lifespan='on', log_config=None,
                            access_log=False, server_header=False, proxy_headers=False, limit_concurrency=CONNECTIONS,
                            h11_max_incomplete_event_size=HEAD, timeout_keep_alive=15,
                            timeout_graceful_shutdown=int(seconds) + 1)
    return _Server(config, announce)
