"""Pieces on this machine, in processes beside each other."""
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

from mlaface.registry import EXECUTORS
from mlaface.utils.executors.base import Executor, checked_number
from mlaface.utils.executors.job import Fault

PACKAGE = str(Path(__file__).resolve().parents[3])


def cores():
    """Cores that this process may use (int)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def python_path():
    """The environment variable ``PYTHONPATH`` (str) by which a process finds this package and plugins beside us."""
    return os.pathsep.join([PACKAGE, *filter(None, [os.environ.get('PYTHONPATH'), os.getcwd()])])


@EXECUTORS.register_module('local')
class LocalExecutor(Executor):
    """Processes on this machine.

    Args:
        processes (int, optional): Default: one a core.
        threads (int, optional): Of each, in products of matrices. Default: the cores shared out.
    """

    def __init__(self, processes=None, threads=None):
        self.processes = cores() if processes is None else checked_number('local', 'processes', processes)
        shared = max(1, cores() // self.processes)
        self.threads = shared if threads is None else checked_number('local', 'threads', threads)
        self._idle = []  # kept for the next job, so that libraries are imported once

    def run(self, job, numbers):
        """See the base class; a process that is killed ends the call."""
        tasks, outcomes = queue.SimpleQueue(), queue.SimpleQueue()
        for number in numbers:
            tasks.put(number)
        count = min(self.processes, len(numbers))
        workers = [self._idle.pop() if self._idle else self._start() for _ in range(count)]
        left = len(numbers)
        try:
            for worker in workers:
                threading.Thread(target=_drive, args=(worker, tasks, outcomes, job), daemon=True).start()
            while left:
                number, fault = outcomes.get()
                left -= 1
                yield number, fault
        finally:
            for worker in workers if left else ():
                worker.kill()
                worker.wait()
            self._idle += [worker for worker in workers if worker.poll() is None]

    def _start(self):
        threads = str(self.threads)
        return subprocess.Popen(
            [sys.executable, '-m', 'mlaface.utils.executors.worker'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, 'OMP_NUM_THREADS': threads, 'MKL_NUM_THREADS': threads,
                            'PYTHONPATH': python_path()})


def _drive(worker, tasks, outcomes, job):
    """Give a process one piece after the other, until none is left or it ends."""
    while True:
        try:
            number = tasks.get_nowait()
        except queue.Empty:
            return
        try:
            print(json.dumps([str(job.folder), job.fingerprint, number]), file=worker.stdin, flush=True)
            answer = worker.stdout.readline()
        except (OSError, ValueError):
            answer = ''
        if not answer:
            outcomes.put((number, Fault(False, f'the process that made piece {number} in {job.folder} ended with '
                                        f'status {worker.wait()} (-9 is a kill, as for want of memory); the same '
                                        'command goes on')))
            return
        fault = json.loads(answer)
        outcomes.put((number, fault and Fault(*fault)))
