"""``mlaface serve`` as a process: where it listens, killed while it enrols, told to end, and light to start."""
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from mlaface.cli.main import main
from mlaface.gallery import Gallery
from tests.serve.served import png

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(models, tmp_path):
    """Starts servers of the real model; gives the process, whose ``url`` is where it is."""
    started = []

    def run(*arguments, **variables):
        process = subprocess.Popen(
            [sys.executable, '-m', 'mlaface.cli.main', 'serve', '--port', '0', '--galleries',
             str(tmp_path / 'galleries'), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, 'PYTHONPATH': str(ROOT), **variables})
        started.append(process)
        line = process.stdout.readline()
        assert line.startswith('mlaface serve: http://127.0.0.1:'), process.stderr.read()
        process.url = line.split()[2]
        return process
    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


def enroll(url, name, data, told=None):
    """Enrol; appends the name to ``told`` if that was acknowledged."""
    try:
        answer = httpx2.post(f'{url}/v1/enroll?aligned=true', files=dict(image=data), data=dict(name=name), timeout=30)
    except httpx2.HTTPError:
        return None
    if answer.status_code == 201 and told is not None:
        told.append(name)
    return answer.status_code


@pytest.mark.slow  # the gallery's own kills are in the default suite
def test_a_killed_server_loses_nothing_that_it_acknowledged(start, drawn, tmp_path):
    faces, told, asked, rng = [png(person[0]) for person in drawn], [], [], random.Random(0)
    for round_number in range(3):
        process = start()
        assert enroll(process.url, f'{round_number} first', faces[0], told) == 201
        with ThreadPoolExecutor(6) as pool:
            names = [f'{round_number} {number}' for number in range(40)]
            asked += [f'{round_number} first', *names]
            futures = [pool.submit(enroll, process.url, name, faces[number % 6], told)
                       for number, name in enumerate(names)]
            time.sleep(rng.uniform(0.3, 1.5))
            process.kill()
            process.wait(20)
            for future in futures:
                future.result()
    with Gallery.open(tmp_path / 'galleries/default.gallery') as gallery:
        people = gallery.people()
        assert gallery.check() == [] and set(told) <= set(people) <= set(asked) and len(told) < len(asked)
        assert set(people.values()) == {1}
    process = start()
    assert len(httpx2.get(f'{process.url}/v1/people').json()['people']) == len(people)


@pytest.mark.parametrize('told', [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_told_to_end_it_finishes_what_was_begun(told, start, drawn):
    process = start()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(enroll, process.url, f'person {number}', png(drawn[0][0])) for number in range(8)]
        end = time.monotonic() + 20
        while 'mlaface_requests_in_flight 8.0' not in httpx2.get(f'{process.url}/metrics').text:
            if any(each.done() for each in asked) or time.monotonic() > end:
                break  # as good: some are in flight
        process.send_signal(told)
        assert [each.result() for each in asked] == [201] * 8
    assert process.wait(20) == 0 and process.stderr.read() == ''


def test_an_onnx_model_is_served_without_torch(start, drawn):
    script = ('import sys; from mlaface.cli.serve import make_parser, application; '
              'from mlaface.serve.keys import Keys; '
              'application(make_parser().parse_args([]), Keys()); print("torch" in sys.modules)')
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == 'False\n', done.stderr


def test_the_verdict_is_that_of_the_command(start, drawn, tmp_path, capsys):
    import json
    files = [tmp_path / f'{number}.png' for number in range(2)]
    for file, image in zip(files, drawn[0]):
        file.write_bytes(png(image))
    status = main(['compare', '--aligned', '--json', *map(str, files)])
    told = json.loads(capsys.readouterr().out)
    found = httpx2.post(f'{start().url}/v1/compare?aligned=true', timeout=30, files=dict(
        first=files[0].read_bytes(), second=files[1].read_bytes())).json()
    assert found['cosine'] == pytest.approx(told['cosine'], abs=1e-6) and found['same'] == told['same'] == (status == 0)
    assert found['threshold'] == told['threshold'] and found['reason'] == told['reason']


def test_galleries_are_encrypted_if_a_key_is_given(start, drawn, tmp_path):
    process = start(MLAFACE_GALLERY_KEY='ab' * 32)
    assert enroll(process.url, 'Ada Lovelace', png(drawn[0][0])) == 201
    files = b''.join(file.read_bytes() for file in (tmp_path / 'galleries').iterdir())
    assert b'Lovelace' not in files
    process.kill()
    process.wait(20)
    assert enroll(start().url, 'Ada', png(drawn[0][0])) == 409


@pytest.mark.parametrize('arguments, message', [
    (['--host', '0.0.0.0'], '--host 0.0.0.0 would let everybody in: give --keys'),
    (['--host', '::'], 'would let everybody in'), (['--keys', '{0}/none'], 'no file of keys at .*--make-key NAME'),
    (['--keys', '{0}/junk'], 'line 1 is no NAME:sha256:HASH'), (['--make-key', 'ann'], '--make-key needs --keys'),
    (['--make-key', '../x', '--keys', '{0}/new'], 'cannot be the name of a key'),
    (['--host', '127.0.0.1', '--port', '1', '--model', '{0}/none.onnx'], 'cannot listen|no model at'),
    (['--host', '203.0.113.7', '--keys', '{0}/keys'], 'cannot listen on 203.0.113.7')])
def test_a_mistake_is_told_in_a_line(arguments, message, tmp_path, capsys):
    import re
    (tmp_path / 'junk').write_text('junk')
    (tmp_path / 'keys').write_text(f'ann:sha256:{"0" * 64}\n')
    with pytest.raises(SystemExit) as end:
        main(['serve', *(argument.format(tmp_path) for argument in arguments)])
    assert end.value.code == 2 and re.fullmatch(f'error: .*({message}).*\n', capsys.readouterr().err)


def test_a_key_is_made_and_printed_once(tmp_path, capsys):
    main(['serve', '--keys', str(tmp_path / 'keys'), '--make-key', 'door', '--read-only'])
    key = capsys.readouterr().out.strip()
    text = (tmp_path / 'keys').read_text()
    assert key not in text and text.startswith('door:sha256:') and text.endswith(':read\n')
