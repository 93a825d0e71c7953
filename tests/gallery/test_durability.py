"""What was acknowledged is kept, and nothing is half kept: kills, full disks, two writers, damage."""
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mlaface.cli.benchmarks._gallery_kills import kill_often
from mlaface.gallery import Enrolment, Gallery
from mlaface.gallery.engines import sqlite
from mlaface.utils.errors import InputError, UserError
from tests.gallery.people import KEY, MODEL, person

ROOT = Path(__file__).resolve().parents[2]
linux_only = pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork and SIGKILL')


@linux_only
@pytest.mark.parametrize('kills, key', [
    (4, None), pytest.param(25, None, marks=pytest.mark.slow), pytest.param(20, KEY, marks=pytest.mark.slow)],
    ids=['few', 'many', 'encrypted'])
def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path, kills, key):
    report = kill_often(str(tmp_path / 'people.gallery'), kills, key=key)
    assert report['faults'] == [] and report['acknowledged'] >= kills and report['interrupted'] >= 1


@pytest.mark.slow
def test_a_killed_writer_on_a_server_loses_nothing_that_was_acknowledged(server):
    report = kill_often(f'{server}#killed', 20)
    assert report['faults'] == [] and report['acknowledged'] >= 20


@linux_only
def test_a_gallery_that_keeps_people_image_by_image_would_fail_after_kills(tmp_path, monkeypatch):
    def torn(self, enrolments):
        return [self.enroll(each.name, each.embedding) for each in enrolments]
    enroll_all = Gallery.enroll_all
    monkeypatch.setattr(Gallery, 'enroll', lambda self, name, row: enroll_all(self, [Enrolment(name, row)]))
    monkeypatch.setattr(Gallery, 'enroll_all', torn)
    found = []
    for number in range(15):
        found += kill_often(str(tmp_path / f'{number}.gallery'), 2, seed=number)['faults']
        if found:
            break
    assert any('half there' in fault for fault in found)


def _enroll_many(location, first, barrier):
    with Gallery.open(location, MODEL, create=True) as gallery:
        barrier.wait()
        for number in range(first, first + 30):
            gallery.enroll('both' if number % 5 == 0 else f'p{number}', person(number))


@linux_only
def test_two_processes_make_and_fill_one_gallery_at_once(tmp_path):
    fork = multiprocessing.get_context('fork')
    location, barrier = tmp_path / 'people.gallery', fork.Barrier(2)
    writers = [fork.Process(target=_enroll_many, args=(location, first, barrier)) for first in (0, 30)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    with Gallery.open(location, MODEL) as gallery:
        wanted = {f'p{number}': 1 for number in range(60) if number % 5} | {'both': 12}
        assert [writer.exitcode for writer in writers] == [0, 0] and gallery.people() == wanted
        assert gallery.check() == []
    assert [file.name for file in tmp_path.iterdir()] == ['people.gallery']


def test_a_full_database_keeps_the_last_good_state(local):
    local.enroll('a', person(1))
    pages, = local.engine.connection.execute('PRAGMA page_count').fetchone()
    local.engine.connection.execute(f'PRAGMA max_page_count={pages}')
    with pytest.raises(UserError, match='disk is full') as error:
        local.enroll_all([Enrolment('b', person(number)) for number in range(500)])
    assert '\n' not in str(error.value) and local.people() == {'a': 1}
    assert local.identify(person(1))[0][0].name == 'a' and local.check() == []
    local.engine.connection.execute('PRAGMA max_page_count=100000')
    local.enroll('c', person(2))
    assert local.people() == {'a': 1, 'c': 1}


def test_a_full_disk_while_enrolling_ends_in_one_line(tmp_path):
    pytest.importorskip('resource')
    location, file = tmp_path / 'people.gallery', tmp_path / 'many.npz'
    with Gallery.open(location, MODEL, create=True) as gallery:
        gallery.enroll('a', person(1))
    np.savez(file, names=np.array([f'p{number}' for number in range(4000)]),
             embeddings=np.stack([person(1)] * 4000))
    code = ('import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)); '
            'from mlaface.cli.main import main; sys.exit(main(sys.argv[1:]))')
    done = subprocess.run([sys.executable, '-c', code, 'enroll', str(location), '--embeddings', str(file)],
                          capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 2 and done.stderr.count('\n') == 1 and 'disk is full' in done.stderr
    with Gallery.open(location, MODEL) as gallery:
        assert gallery.people() == {'a': 1} and gallery.check() == []
        gallery.enroll('b', person(2))


@pytest.mark.parametrize('content', [b'', b'no database at all ' * 100, b'SQLite format 3\0' + bytes(5000)])
def test_a_file_that_is_no_gallery_is_refused_and_left_alone(tmp_path, content):
    file = tmp_path / 'people.gallery'
    file.write_bytes(content)
    with pytest.raises(InputError, match='no gallery'):
        Gallery.open(file, MODEL, create=True)
    assert file.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    file = tmp_path / 'people.gallery'
    with sqlite3.connect(file) as other:
        other.execute('CREATE TABLE gallery (header)')
    other.close()
    before = file.read_bytes()
    with pytest.raises(InputError, match='another program'):
        Gallery.open(file, MODEL, create=True)
    assert file.read_bytes() == before


def test_a_gallery_of_a_later_version_is_refused(local, tmp_path):
    local.engine.connection.execute("UPDATE gallery SET header = replace(header, '\"schema\": 1', '\"schema\": 2')")
    with pytest.raises(InputError, match='schema 2'):
        Gallery.open(tmp_path / 'people.gallery', MODEL)


def test_flipped_bytes_of_an_embedding_are_found_wherever_it_is_used(tmp_path):
    location = tmp_path / 'people.gallery'
    with Gallery.open(location, MODEL, create=True) as gallery:
        gallery.enroll('a', person(1))
        gallery.enroll('b', person(2))
        gallery.compact()
    data, kept = bytearray(location.read_bytes()), person(1).astype('<f4').tobytes()
    data[data.index(kept[:64]) + 8] ^= 1
    location.write_bytes(data)
    with Gallery.open(location, MODEL) as gallery:
        assert [fault for fault in gallery.check() if 'damaged' in fault]
        for use in (lambda: gallery.identify(person(1)), lambda: gallery.verify('a', person(1))):
            with pytest.raises(InputError, match='damaged'):
                use()
        assert gallery.verify('b', person(2)).cosine == pytest.approx(1)


def test_only_its_owner_reads_the_files(local, tmp_path):
    local.enroll('a', person(1))
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    assert {file.name for file in tmp_path.iterdir()} == {f'people.gallery{end}' for end in ('', '-wal', '-shm')}


@pytest.fixture
def read_only():
    """A function that makes a folder one that cannot be written to, to whomever the rest of the test is run by."""
    folder, me = Path(tempfile.mkdtemp()), os.geteuid()

    def close():
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        if not me:
            os.seteuid(65534)
    yield folder, close
    os.seteuid(me)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_gallery_that_cannot_be_written_to_is_searched_and_nothing_is_written(read_only):
    folder, close = read_only
    with Gallery.open(folder / 'g', MODEL, create=True) as gallery:
        gallery.enroll('a', person(1))
        assert gallery.identify(person(1))[0][0].name == 'a'  # all modules are there
    close()
    with pytest.raises(OSError, match='ermission denied'):
        (folder / 'file').touch()
    with Gallery.open(folder / 'g', MODEL, create=True) as gallery:
        assert gallery.identify(person(1))[0][0].name == 'a' and gallery.check() == []
        for change in (lambda: gallery.enroll('b', person(2)), lambda: gallery.delete('a'), gallery.compact):
            with pytest.raises(UserError, match='readonly database: is the file yours'):
                change()
    assert [file.name for file in folder.iterdir()] == ['g']


def test_a_log_that_cannot_be_read_is_not_passed_over(read_only):
    folder, close = read_only
    with Gallery.open(folder / 'g', MODEL, create=True) as gallery:
        gallery.enroll('a', person(1))
        shutil.copy(folder / 'g', folder / 'h')
        shutil.copy(folder / 'g-wal', folder / 'h-wal')
    close()
    with pytest.raises(UserError, match='h-wal holds what the file lacks'):
        Gallery.open(folder / 'h', MODEL)


def test_what_somebody_else_writes_is_seen_by_who_may_not(local, tmp_path, monkeypatch):
    local.enroll('a', person(1))
    local.compact()
    connect = sqlite._connect

    def refused(path, way):
        if 'immutable' not in way and not allowed:
            raise sqlite3.OperationalError('unable to open database file')
        return connect(path, way)
    monkeypatch.setattr(sqlite, '_connect', refused)
    allowed = []
    with Gallery.open(tmp_path / 'people.gallery', MODEL) as other:
        assert other.identify(person(1))[0][0].name == 'a'
        allowed.append(True)  # as a log that is there allows it
        local.enroll('b', person(2))
        assert other.identify(person(2))[0][0].name == 'b'
