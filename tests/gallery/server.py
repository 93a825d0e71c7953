"""A real PostgreSQL server on loopback, for the time of a test session."""
import contextlib
import os
import shutil
import socket
import subprocess
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

    def run(program, *arguments):
        subprocess.run([*become, f'{programs}/{program}', *arguments], check=True, cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    data, port = folder / 'data', _free_port()
    run('initdb', '-D', str(data), '-U', 'tester', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C')
    settings = f'-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}'
    run('pg_ctl', '-D', str(data), '-w', '-l', str(folder / 'log'), '-o', settings, 'start')
    try:
        yield f'postgresql://tester@127.0.0.1:{port}/postgres'
    finally:
        run('pg_ctl', '-D', str(data), '-m', 'immediate', 'stop')
