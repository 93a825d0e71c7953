"""A gallery whose writer is killed again and again: what was acknowledged must be there, and nothing may be half there.

A child enrols people of one to four images, deletes some of them, and tells what was acknowledged through a pipe. The
parent kills it at a random time, opens the gallery, and compares it with what it was told.
"""
import contextlib
import json
import os
import random
import signal
import sys
import time

import numpy as np

from mlaface.gallery import Enrolment, Gallery

MODEL = dict(name='generated', sha256='0' * 64, embedding_size=512)


def images_of(person):
    """Embeddings (N, 512) float32 of a person (str), always the same; N is 1 to 4."""
    rng = np.random.default_rng(list(person.encode()))
    return rng.standard_normal((rng.integers(1, 5), MODEL['embedding_size']), dtype=np.float32)


def write_until_killed(location, name, tell, key=None):
    """Enrol and delete without end.

    Args:
        location (str): Of the gallery.
        name (str): People's names begin with it.
        tell (callable): Is given a line (str) before and after each change.
        key (bytes or None): Of the gallery.
    """
    with Gallery.open(location, MODEL, create=True, key=key) as gallery:
        for number in range(1 << 30):
            person = f'{name}-{number}'
            tell(f'enrolling {person}\n')
            gallery.enroll_all([Enrolment(person, row) for row in images_of(person)])
            tell(f'enrolled {person}\n')
            if number % 3 == 2:
                tell(f'deleting {name}-{number - 1}\n')
                gallery.delete(f'{name}-{number - 1}')
                tell(f'deleted {name}-{number - 1}\n')


def kill_one(location, name, lines, seconds, key=None):
    """Let a child write, and kill it.

    Args:
        location (str): Of the gallery.
        name (str): People's names begin with it.
        lines (int): That it tells before.
        seconds (float): That pass after the last of them.
        key (bytes or None): Of the gallery.

    Returns:
        list[str]: What it told.
    """
    ours, its = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            write_until_killed(location, name, lambda line: os.write(its, line.encode()), key)
        os._exit(1)
    os.close(its)
    with os.fdopen(ours) as pipe:
        told = [pipe.readline() for _ in range(lines)]
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        told += pipe.readlines()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f'the writer ended by itself, after {told[-3:]}')
    return [line.strip() for line in told if line.endswith('\n')]


def expected(lines):
    """People who must be there, and those who may be, of what was told."""
    sure, open_ = set(), set()
    for verb, person in (line.split() for line in lines):
        open_ = {person} if verb in ('enrolling', 'deleting') else set()
        sure = sure | {person} if verb == 'enrolled' else sure - {person}
    return sure, open_


def faults(gallery, sure, maybe):
    """What of a gallery is not as it was told (list[str])."""
    found = gallery.check()
    people = gallery.people()
    found += [f'{person} was acknowledged and is not there' for person in sure - set(people)]
    found += [f'{person} is there and should not be' for person in set(people) - sure - maybe]
    kept = {}
    for _, image in gallery.enrolments():
        kept.setdefault(image.name, []).append(image.embedding)
    for person, rows in kept.items():
        wanted = images_of(person)
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        if len(rows) != len(wanted) or not np.allclose(rows, wanted, atol=1e-6):
            found.append(f'{person} is half there, or not the same')
    return found


def kill_often(location, kills, seed=0, key=None):
    """Kill a writer many times.

    Args:
        location (str): Of a gallery, which is made.
        kills (int): How often.
        seed (int): Of the times.
        key (bytes or None): Encrypts the gallery.

    Returns:
        dict: ``kills``, ``acknowledged`` enrolments, ``interrupted`` changes, and ``faults`` (list[str]).
    """
    rng, sure, report = random.Random(seed), set(), dict(kills=kills, acknowledged=0, interrupted=0, faults=[])
    for number in range(kills):
        lines = kill_one(location, f'r{number}', rng.randint(1, 16), rng.uniform(0, 0.004), key)
        added, maybe = expected(lines)
        report['acknowledged'] += sum(line.startswith('enrolled') for line in lines)
        report['interrupted'] += len(maybe)
        sure |= added - maybe
        with Gallery.open(location, MODEL, create=True, key=key) as gallery:
            report['faults'] += faults(gallery, sure, maybe)
            sure = set(gallery.people())
    return report


if __name__ == '__main__':
    print(json.dumps(kill_often(sys.argv[1], int(sys.argv[2]))))
