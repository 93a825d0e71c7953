"""Runs that are missing are made, some at a time, each in a process of its own."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from mlaface.study import runs
from mlaface.study.worker import TAKEN
from mlaface.utils.errors import InputError, UserError

LOOK_SECONDS = 0.5


class RunFailed(UserError):
    """A run that ended on an error; names its log."""


def cores():
    """Cores that this process may use (int)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def jobs_for(plan, asked=None):
    """Processes at a time: as asked, or as many as fit the cores.

    Raises:
        InputError: If those asked for need more threads than there are cores.
    """
    most = max(1, cores() // plan.threads)
    if asked is not None and asked > most:
        raise InputError(f'--jobs {asked}: {asked} runs of {plan.threads} threads need {asked * plan.threads} cores, '
                         f'and {cores()} are there; take --jobs {most}, or fewer threads in the plan')
    return asked or most


class Queue:
    """Makes the missing runs of a plan.

    Several queues, in any number of processes, share a plan's work: a run is made by whoever locks it first.

    Args:
        plan (Plan): Checked.
        out (Path): Where results are kept.
        work_dir (Path): Where runs train.
        jobs (int): Runs at a time.
        say (callable): Takes a line of progress.
        limit (int, optional): End after so many runs of our own. Default None, when all are done.
    """

    def __init__(self, plan, out, work_dir, jobs=1, say=print, limit=None):
        self.plan, self.out, self.work_dir = plan, Path(out), Path(work_dir)
        self.jobs, self.say, self.limit = jobs, say, limit
        self.mine, self.failed, self.seconds, self.started = {}, [], [], 0
        self.stopped = 0

    def run(self):
        """Make runs until none is missing.

        Returns:
            int: Runs that are missing still, as those that other processes are at.

        Raises:
            RunFailed: If runs ended on errors; all others are made first.
            SystemExit: After Ctrl-C or SIGTERM, when the runs have written their checkpoints.
        """
        former = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while not self.stopped and (self._fill() or self.mine):
                time.sleep(LOOK_SECONDS)
                self._collect()
            while self.mine:
                time.sleep(LOOK_SECONDS)
                self._collect()
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
        if self.stopped:
            self.say(f'stopped by signal {self.stopped}; the same command goes on')
            raise SystemExit(128 + self.stopped)
        if self.failed:
            run, log = self.failed[0]
            raise RunFailed(f'{len(self.failed)} runs failed; {run.name}: {_last_line(log)} ({log})')
        return len(self.missing())

    def missing(self):
        """Runs without a result, in their order (list[Run])."""
        return [run for run in runs.all_runs(self.plan) if not runs.is_done(self.out, run)]

    def _stop(self, number, frame):
        self.stopped = number
        for process, *_ in self.mine.values():
            process.send_signal(signal.SIGTERM)

    def _next(self):
        """A missing run that nobody is at and whose settings are known, or None."""
        tried = {run for run, _ in self.failed} | set(self.mine)
        for run in self.missing():
            if (run not in tried and not self._locked(run) and not runs.is_done(self.out, run)  # ended just now
                    and runs.settings_of(self.plan, self.out, run) is not None):
                return run
        return None

    def _locked(self, run):
        path = self.work_dir / run.name / 'lock'
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True

    def _fill(self):
        """Start runs while there is room; whether there may be more to do."""
        while len(self.mine) < self.jobs and (self.limit is None or self.started < self.limit):
            run = self._next()
            if run is None:
                break
            self._start(run)
        return bool(self.mine)

    def _start(self, run):
        folder = self.work_dir / run.name
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / 'output.txt'
        threads = str(self.plan.threads)
        environment = {**os.environ, 'OMP_NUM_THREADS': threads, 'MKL_NUM_THREADS': threads, 'MPLBACKEND': 'Agg'}
        environment['PYTHONPATH'] = os.pathsep.join(
            [str(Path(__file__).resolve().parents[2]), *filter(None, [environment.get('PYTHONPATH'), os.getcwd()])])
        with open(log, 'a') as file:
            process = subprocess.Popen(
                [sys.executable, '-m', 'mlaface.study.worker', str(self.plan.path), run.name, '--out', str(self.out),
                 '--work-dir', str(self.work_dir)], stdout=file, stderr=subprocess.STDOUT, env=environment,
                start_new_session=True)
        self.mine[run] = (process, log, time.monotonic())
        self.started += 1

    def _collect(self):
        for run, (process, log, begin) in list(self.mine.items()):
            status = process.poll()
            if status is None:
                continue
            del self.mine[run]
            if status == TAKEN:
                self.started -= 1
            elif runs.is_done(self.out, run):
                self.seconds.append(time.monotonic() - begin)
                self.say(self._line(run))
            elif not self.stopped:
                self.failed.append((run, log))
                self.say(f'{run.name} failed: {_last_line(log)}')

    def _line(self, run):
        result, total = runs.read_result(runs.result_file(self.out, run)), len(runs.all_runs(self.plan))
        missing = len(self.missing())
        rest = missing * sum(self.seconds) / len(self.seconds) / self.jobs
        found = runs.headline(result, self.plan.metric)
        what = result['status'] if found != found else f'{self.plan.metric} {found:.4f}'
        seconds = result['validations'][-1]['processor'] if result['validations'] else 0
        return (f'{total - missing}/{total}  {run.name}: {what}, {seconds:.0f} s of the processor in training; '
                f'about {_clock(rest)} to go')


def _clock(seconds):
    """``1:05 h``."""
    return f'{int(seconds) // 3600}:{int(seconds) % 3600 // 60:02d} h'


def _last_line(log):
    lines = [line for line in Path(log).read_text(errors='replace').splitlines() if line.strip()] \
        if Path(log).is_file() else []
    return lines[-1].strip() if lines else 'ended without a word'
