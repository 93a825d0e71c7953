"""Rows that are made once: whole chunks survive every end of the process, another set or model has its own."""
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mlaface.datasets.prepare.inspect import open_set
from mlaface.datasets.prepare.kept_rows import CHUNK, KeptRows, fill, set_hash

COUNT = 3 * CHUNK + 5
CHILD = """
import sys, time
import numpy as np
from mlaface.datasets.prepare.kept_rows import KeptRows, fill
def make(parts):
    for part in parts:
        time.sleep(0.02)
        yield np.arange(part.start, part.stop)[:, None] * np.ones(3)
print('ready', flush=True)
fill(KeptRows('a.rows', np.float32, (20_005, 3), sys.argv[1]), make)
"""


def made(parts):
    for part in parts:
        yield np.arange(part.start, part.stop)[:, None] * np.ones(3)


def test_rows_are_made_once_and_continued(tmp_path):
    kept, calls = KeptRows('a.rows', np.float32, (COUNT, 3), tmp_path), []

    def torn(parts):
        for number, rows in enumerate(made(parts)):
            if number == 2:
                raise KeyboardInterrupt
            yield rows
    with pytest.raises(KeyboardInterrupt):
        fill(kept, torn)
    assert [len(part) for part in kept.missing()] == [CHUNK, 5]
    rows = fill(kept, made, calls.append)
    assert calls == [2 * CHUNK, CHUNK, 5] and (rows == np.arange(COUNT)[:, None]).all()
    assert (fill(kept, None if kept.missing() else lambda parts: iter(())) == rows).all()
    kept.path.unlink()
    assert len(kept.missing()) == 4  # marks without their file count for nothing
    assert fill(KeptRows('b.rows', np.float32, (0, 3), tmp_path), made).shape == (0, 3)


def test_a_set_is_told_from_one_that_was_changed(tmp_path, drawn):
    from mlaface.datasets.formats.jpeg import encode
    for name in 'ab':
        (tmp_path / 's' / name).mkdir(parents=True)
        (tmp_path / 's' / name / '1.jpg').write_bytes(encode(drawn[0][0]))
    first = set_hash(tmp_path / 's', open_set(tmp_path / 's'))
    assert set_hash(tmp_path / 's', open_set(tmp_path / 's')) == first
    os.utime(tmp_path / 's' / 'a' / '1.jpg', ns=(1, 1))
    second = set_hash(tmp_path / 's', open_set(tmp_path / 's'))
    (tmp_path / 's' / 'b' / '2.jpg').write_bytes(encode(drawn[1][0]))
    assert len({first, second, set_hash(tmp_path / 's', open_set(tmp_path / 's'))}) == 3


@pytest.mark.slow
def test_twenty_kills_and_two_at_once_leave_the_same_bytes(tmp_path):
    whole = fill(KeptRows('a.rows', np.float32, (20_005, 3), tmp_path / 'whole'), made).tobytes()
    rng = np.random.default_rng(0)
    for _ in range(20):
        child = subprocess.Popen([sys.executable, '-c', CHILD, str(tmp_path)], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(rng.uniform(0, 0.3))
        child.send_signal(signal.SIGKILL)
        child.wait()
    both = [subprocess.Popen([sys.executable, '-c', CHILD, str(tmp_path)]) for _ in range(2)]
    assert [child.wait() for child in both] == [0, 0]
    kept = KeptRows('a.rows', np.float32, (20_005, 3), tmp_path)
    assert not kept.missing() and kept.rows().tobytes() == whole
