"""Pieces as a Slurm array; and what else is submitted as one."""
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

from mlaface.registry import EXECUTORS
from mlaface.utils.errors import InputError
from mlaface.utils.executors.base import Executor, checked_number
from mlaface.utils.executors.job import Fault
from mlaface.utils.executors.local import PACKAGE
from mlaface.utils.files import atomic_path

SCRIPT = """#!/bin/bash
{options}
cd {folder}
export OMP_NUM_THREADS={threads} PYTHONPATH={package}${{PYTHONPATH:+:$PYTHONPATH}}
exec {python} -m {command}
"""
LOOK_SECONDS = 1.0
JOB = 'slurm_job'  # the file that keeps the array's number, so that a call that was killed leaves none behind


def write_array(path, command, tasks, threads, **options):
    """Write the script of an array.

    Args:
        path (Path): The script.
        command (str): What each task runs behind ``python -m``, for a shell.
        tasks (int): Of the array; ``$SLURM_ARRAY_TASK_ID`` counts them from 1.
        threads (int): Cores of a task.
        options: Of ``sbatch`` by their long names, ``_`` for ``-``; None leaves one out.
    """
    options = dict(array=f'1-{tasks}', cpus_per_task=threads, **options)
    lines = [f'#SBATCH --{key.replace("_", "-")}={shlex.quote(str(value))}' for key, value in options.items()
             if value is not None]
    with atomic_path(path) as temporary:
        temporary.write_text(SCRIPT.format(
            options='\n'.join(lines), folder=shlex.quote(os.getcwd()), threads=threads, command=command,
            package=shlex.quote(PACKAGE), python=shlex.quote(sys.executable)))


def submit(path, asked):
    """Submit a script.

    Args:
        path (Path): The script.
        asked (str): The option by which the user asked for it.

    Returns:
        str: What ``sbatch`` printed.

    Raises:
        InputError: If there is no ``sbatch``, or it refuses.
    """
    if shutil.which('sbatch') is None:
        raise InputError(f'{asked}: there is no sbatch here. The script is {path}: submit it where Slurm is')
    done = subprocess.run(['sbatch', str(path)], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f'sbatch {path} failed: {done.stderr.strip()}')
    return done.stdout.strip()


@EXECUTORS.register_module('slurm')
class SlurmExecutor(Executor):
    """An array of a Slurm cluster, whose end is waited for; the command is given where ``sbatch`` is.

    Args:
        partition (str, optional): Where it runs; default: Slurm's own.
        tasks (int): Of the array, at most; each makes a share of the pieces in one process. Default 64.
        cpus (int): Cores of a task; its threads too.
        time (str, optional): Limit of a task, as ``4:00:00``.
        gres (str, optional): As ``gpu:1``.
        account (str, optional): Who pays.
    """

    def __init__(self, partition=None, tasks=64, cpus=1, time=None, gres=None, account=None):
        self.tasks, self.cpus = checked_number('slurm', 'tasks', tasks), checked_number('slurm', 'cpus', cpus)
        self.options = dict(partition=partition, time=time, gres=gres, account=account)

    def run(self, job, numbers):
        """See the base class."""
        self._cancel(job)
        tasks, script = min(self.tasks, len(numbers)), job.folder / 'array.sbatch'
        with atomic_path(job.folder / 'missing.json') as temporary:
            temporary.write_text(json.dumps(numbers))
        command = shlex.join(['mlaface.utils.executors.worker', str(job.folder), job.fingerprint])
        write_array(script, f'{command} $SLURM_ARRAY_TASK_ID {tasks}', tasks, self.cpus, job_name='mlaface',
                    output=job.folder / 'slurm_%a.txt', **self.options)
        for log in job.folder.glob('slurm_*.txt'):
            log.unlink()
        said = submit(script, '--executor slurm')  # as "Submitted batch job 123"
        (job.folder / JOB).write_text(said.split()[-1])
        try:
            yield from self._watch(job, said.split()[-1], numbers)
        finally:
            self._cancel(job)

    def _watch(self, job, array, left):
        """Pieces as they are seen to be done, until the array has ended; of those that are not, why not."""
        looks = 0  # behind its end: what another node wrote may be seen a moment later
        while left:
            looks = 0 if _runs(array) else looks + 1
            done = {number for number in left if job.manifest(number) is not None}
            yield from ((number, None) for number in left if number in done)
            left = [number for number in left if number not in done]
            if left and looks > 2:
                yield left[0], self._fault(job, array, len(left))
                return
            time.sleep(LOOK_SECONDS if left else 0)

    @staticmethod
    def _fault(job, array, left):
        told = [line.removeprefix('error: ') for log in sorted(job.folder.glob('slurm_*.txt'))
                for line in log.read_text(errors='replace').splitlines() if line.startswith('error: ')]
        if told:
            return Fault('the disk takes no more' in told[0], told[0])
        return Fault(False, f'Slurm job {array} ended with {left} pieces missing; what its tasks said is in '
                            f'{job.folder}/slurm_*.txt. A task without such a file ran on a node that does not see the '
                            f'folder (sacct -j {array} -o JobID,NodeList,State names it). The same command goes on')

    @staticmethod
    def _cancel(job):
        """End the array that is kept as running, of this call or a former one that was killed."""
        with contextlib.suppress(OSError):
            array = (job.folder / JOB).read_text().strip()
            if array and _runs(array):
                subprocess.run(['scancel', array], capture_output=True, check=False)
            (job.folder / JOB).unlink()


def _runs(array):
    """Whether a task of an array (its number, str) waits or runs; where Slurm does not answer, it is taken to."""
    done = subprocess.run(['squeue', '--noheader', '--jobs', array], capture_output=True, text=True)
    return bool(done.stdout.strip()) if done.returncode == 0 else 'Invalid job id' not in done.stderr
