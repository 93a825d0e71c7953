"""The missing runs as a Slurm array: each task takes runs until none is left, so that any number of tasks will do."""
import shlex
from pathlib import Path

from mlaface.study import runs
from mlaface.utils.executors.slurm import submit as submit_script
from mlaface.utils.executors.slurm import write_array


def submit(plan, out, work_dir, partition, jobs=None, dry_run=False):
    """Write the array's script, and submit it.

    Args:
        plan (Plan): Checked.
        out, work_dir (Path): On a file system that all nodes share, with working locks.
        partition (str): Where it runs.
        jobs (int, optional): Tasks; None: one for each missing run.
        dry_run (bool): Write the script only.

    Returns:
        str: What was done.

    Raises:
        InputError: If there is no ``sbatch``, or it refuses.
    """
    missing = [run for run in runs.all_runs(plan) if not runs.is_done(out, run)]
    if not missing:
        return f'{plan.name}: no run is missing'
    path, tasks = Path(work_dir) / 'array.sbatch', min(jobs or len(missing), len(missing))
    command = ['mlaface.cli.main', 'study', Path(plan.path).resolve(), '--out', Path(out).resolve(), '--work-dir',
               Path(work_dir).resolve(), '--jobs', 1]
    write_array(path, shlex.join(map(str, command)), tasks, plan.threads, job_name=f'study-{plan.name}',
                partition=partition, output=Path(work_dir).resolve() / 'slurm_%a.txt')
    if dry_run:
        return f'wrote {path}; submit it with: sbatch {path}'
    return submit_script(path, '--slurm')
