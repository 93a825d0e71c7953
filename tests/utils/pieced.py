"""What tests of executors share: toy tasks, an executor in this process, a set and a model for commands."""
import errno
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from mlaface.registry import EXECUTORS
from mlaface.utils.executors.base import Executor
from mlaface.utils.executors.worker import run_piece

TASK = 'tests.utils.pieced:open_squares'


@EXECUTORS.register_module('here', force=True)
class Here(Executor):
    """All in this process, in another order.

    Args:
        stop (int, optional): Ends, as by Ctrl-C, after so many pieces.
    """

    def __init__(self, stop=None):
        self.stop = stop

    def run(self, job, numbers):
        for count, number in enumerate(reversed(numbers)):
            if count == self.stop:
                raise KeyboardInterrupt
            yield number, run_piece(str(job.folder), job.fingerprint, number)


def open_squares(factor=1, log=None, fails=None, wait=0):
    """Pieces are texts of squares; ``log`` (str) gets a line for each process that opens it and each piece made."""
    def note(line):
        if log:
            with open(log, 'a') as file:
                file.write(f'{line} {os.getpid()}\n')
    note('open')

    def make(piece, file):
        print('what a library prints is no answer')
        time.sleep(wait)
        if fails == 'disk':
            raise OSError(errno.ENOSPC, 'No space left on device')
        if fails == 'kill' and not Path(f'{log}.killed').exists():
            Path(f'{log}.killed').touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if fails == 'value':
            raise ValueError('cannot be made')
        note(f'piece {piece}')
        file.write(b''.join(b'%d ' % (factor * number * number) for number in range(*piece)))
    return make


def photographs(folder, people=30, each=20, seed=0):
    """A folder of identities: coloured patterns, one near copy and one wrong label among them; its path."""
    from mlaface.datasets.formats.jpeg import encode
    rng = np.random.default_rng(seed)
    patterns = rng.integers(30, 226, (people, 8, 8, 3))

    def drawn(person):
        noisy = patterns[person] + rng.normal(0, 25, (8, 8, 3))
        return encode(np.clip(np.kron(noisy, np.ones((14, 14, 1))), 0, 255).astype(np.uint8))
    for person in range(people):
        (folder / f'p{person:02}').mkdir(parents=True)
        for number in range(each):
            (folder / f'p{person:02}' / f'{number}.jpg').write_bytes(drawn(person))
    (folder / 'p03' / '1.jpg').write_bytes(drawn(5))
    (folder / 'p04' / '1.jpg').write_bytes((folder / 'p04' / '0.jpg').read_bytes())
    (folder / 'p06' / '1.jpg').write_bytes(b'')
    return folder


def model(path):
    """An ONNX file whose embeddings are mean colours of an image's parts; its path as a text."""
    import onnx
    from onnx import helper
    nodes = [helper.make_node('AveragePool', ['images'], ['means'], kernel_shape=[14, 14], strides=[14, 14]),
             helper.make_node('Flatten', ['means'], ['embeddings'])]
    values = [helper.make_tensor_value_info('images', 1, ['n', 3, 112, 112]),
              helper.make_tensor_value_info('embeddings', 1, ['n', 192])]
    graph = helper.make_graph(nodes, 'g', values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), path)
    return str(path)


def slurm(folder):
    """Stand-ins of ``sbatch``, ``squeue`` and ``scancel`` that run an array's tasks on this machine; their folder."""
    folder.mkdir()
    scripts = dict(
        sbatch=f"""#!{sys.executable}
import os, re, shlex, subprocess, sys
script = sys.argv[1]
text = open(script).read()
last = int(re.search('--array=1-([0-9]+)', text)[1])
log, = shlex.split(re.search('--output=(.*)', text)[1])
script = shlex.quote(script)
code = ''.join(f'SLURM_ARRAY_TASK_ID={{k}} bash {{script}} > {{shlex.quote(log.replace("%a", str(k)))}} 2>&1\\n'
               for k in range(1, last + 1))
process = subprocess.Popen(['bash', '-c', code], start_new_session=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print('Submitted batch job', process.pid)
""",
        squeue="""#!/bin/bash
kill -0 $3 2>/dev/null && ! grep -q '^State:.*Z' /proc/$3/status && echo $3
exit 0
""",
        scancel="""#!/bin/bash
kill -9 -- -$1
""")
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder
