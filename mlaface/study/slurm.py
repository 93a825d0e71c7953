"""The missing runs as a Slurm array: each task takes runs until none is left, so that any number of tasks will do."""
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from mlaface.study import runs
from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path

SCRIPT = """#!/bin/bash
#SBATCH --job-name=study-{name}
#SBATCH --partition={partition}
#SBATCH --array=1-{tasks}
#SBATCH --cpus-per-task={threads}
#SBATCH --output={work_dir}/slurm_%a.txt
cd {folder}
export OMP_NUM_THREADS={threads} PYTHONPATH={package}${{PYTHONPATH:+:$PYTHONPATH}}
exec {python} -m mlaface.cli.main study {plan} --out {out} --work-dir {work_dir} --jobs 1
"""


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
    quoted = {key: shlex.quote(str(Path(value).resolve())) for key, value in dict(
        plan=plan.path, out=out, work_dir=work_dir, folder=os.getcwd(), package=Path(__file__).parents[2]).items()}
    path = Path(work_dir) / 'array.sbatch'
    with atomic_path(path) as temporary:
        temporary.write_text(SCRIPT.format(
            name=plan.name, partition=shlex.quote(partition), tasks=min(jobs or len(missing), len(missing)),
            threads=plan.threads, python=shlex.quote(sys.executable), **quoted))
    if dry_run:
        return f'wrote {path}; submit it with: sbatch {path}'
    if shutil.which('sbatch') is None:
        raise InputError(f'--slurm: there is no sbatch here. The script is {path}: submit it where Slurm is')
    done = subprocess.run(['sbatch', str(path)], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f'sbatch {path} failed: {done.stderr.strip()}')
    return done.stdout.strip()
