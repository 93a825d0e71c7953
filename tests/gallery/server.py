"""A real PostgreSQL server on loopback, for the time of a test session."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


def find_server():
    """Folder of the server's programs, or None."""
    folders = sorted(Path('/usr/lib/postgresql').glob('*/bin'), key=lambda path: float(path.parent.name))
    found = next((str(folder) for folder in reversed(folders) if (folder / 'initdb').exists()), None)
    on_path = shutil.which('initdb')
    return found or (str(Path(on_path).parent) if on_path else None)


def _free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_server(folder):
    """Start a server in a folder and give its URL; it refuses to run as root, so that ``postgres`` runs it then."""
    programs, folder = find_server(), Path(folder)
    become = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] if os.getuid() == 0 else []
    if become:
        for path in (folder, *folder.parents):
            if path.stat().st_uid == 0 and not path.stat().st_mode & 0o001:
                path.chmod(path.stat().st_mode | 0o011)
        shutil.chown(folder, 'postgres', 'postgres')

    data, port = folder / 'data', _free_port()
    with open(folder / 'log', 'wb') as log:
        quiet = dict(cwd=folder, stdout=log, stderr=log)
        subprocess.run([*become, f'{programs}/initdb', '-D', data, '-U', 'tester', '--auth=trust', '--no-sync', '-E',
                        'UTF8', '--locale=C'], check=True, **quiet)
        settings = ('listen_addresses=127.0.0.1', f'port={port}', f'unix_socket_directories={folder}')
        server = subprocess.Popen([*become, f'{programs}/postgres', '-D', data,
                                   *(word for setting in settings for word in ('-c', setting))], **quiet)
        try:
            _wait_for(server, port, folder / 'log')
            yield f'postgresql://tester@127.0.0.1:{port}/postgres'
        finally:
            server.send_signal(signal.SIGQUIT)  # at once, without writing anything more
            server.wait(60)


def _wait_for(server, port, log):
    import psycopg
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(host='127.0.0.1', port=port, user='tester', dbname='postgres').close()
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())
