"""Memory that is freed stays with the process, so that it is not touched for the first time again and again."""
import os
import platform
import subprocess
import sys

import pytest

from mlaface.utils.memory import CHOSEN_BY_USER

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='a C library without mallopt')
FAULTS = """
import resource
import numpy
from mlaface.utils.memory import keep_freed_memory
print(keep_freed_memory())
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        numpy.ones(12_000_000, dtype=numpy.float64)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def _run(**variables):
    clean = {key: value for key, value in os.environ.items() if key not in CHOSEN_BY_USER}
    output = subprocess.run([sys.executable, '-c', FAULTS], env={**clean, **variables}, capture_output=True, text=True,
                            check=True).stdout.split()
    return output[0] == 'True', int(output[1])


def test_a_block_that_is_asked_for_again_makes_no_page_faults():
    kept, faults = _run()
    assert kept
    assert faults < 100


def test_what_the_user_has_chosen_is_left_alone():
    kept, faults = _run(MALLOC_TOP_PAD_='131072')
    assert not kept
    assert faults > 100  # what there would be without


def test_a_command_that_runs_on_the_processor_keeps_it(monkeypatch):
    from mlaface.cli.parts import device
    called = []
    monkeypatch.setattr(device, 'keep_freed_memory', lambda: called.append(1))
    assert device.choose_device('cpu') == 'cpu'
    assert called
