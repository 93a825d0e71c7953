"""Sharded heads equal the whole one: every margin on 1, 2, 3 and 4 gloo ranks, chunked and not."""
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name('sharded.py')


@pytest.mark.parametrize('world', [2, *(pytest.param(world, marks=pytest.mark.slow) for world in (1, 3, 4))])
def test_sharded_equals_whole(world, tmp_path):
    ranks = [subprocess.Popen([sys.executable, SCRIPT, str(rank), str(world), tmp_path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) for rank in range(world)]
    try:
        outputs = [rank.communicate(timeout=300)[0] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert all(rank.returncode == 0 for rank in ranks), '\n'.join(output[-2500:] for output in outputs)
