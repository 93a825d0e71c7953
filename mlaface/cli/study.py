"""A question to training runs: ``mlaface study PLAN`` makes the runs that are missing.

Examples:
  mlaface study configs/studies/levels_faces_small.py --list
  mlaface study configs/studies/levels_faces_small.py --jobs 2
  mlaface study configs/studies/levels_faces_small.py --slurm cpu --dry-run
  mlaface study configs/studies/levels_faces_small.py --report
"""
from pathlib import Path

from mlaface.cli.parts.arguments import command, count
from mlaface.cli.parts.errors import explained


def make_parser():
    """The command's arguments."""
    parser = command('study', __doc__)
    parser.add_argument('plan', help='a plan: configs/studies/NAME.py')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='results of runs and the report (default: studies/NAME)')
    parser.add_argument('--work-dir', type=Path, metavar='DIR',
                        help='where runs train (default: work_dirs/studies/NAME)')
    parser.add_argument('--jobs', type=count, metavar='N', help='runs at a time (default: as many as fit the cores)')
    parser.add_argument('--limit', type=count, metavar='N', help='end after N runs')
    parser.add_argument('--list', action='store_true', help='show which runs are done and which are missing')
    parser.add_argument('--dry-run', action='store_true', help='check the plan, try its networks, run nothing')
    parser.add_argument('--slurm', metavar='PARTITION', help='submit the missing runs as an array of jobs')
    parser.add_argument('--report', action='store_true', help='make the page and the tables of the runs that are done')
    parser.add_argument('--allow-mixed', action='store_true', help='report also runs that different code has made')
    return parser


def main(argv=None):
    """Do as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained():
        return run(args)


def run(args):
    """List, report, or make the runs.

    Args:
        args (Namespace): From ``make_parser``.

    Returns:
        int: Exit status.
    """
    from mlaface.study.plan import load_plan
    plan = load_plan(args.plan)
    out = args.out or Path('studies') / plan.name
    work_dir = args.work_dir or Path('work_dirs') / 'studies' / plan.name
    if args.list:
        return show(plan, out)
    from mlaface.study.mixed import differences
    from mlaface.study.queue import Queue, jobs_for
    from mlaface.study.recipes import check_variants
    check_variants(plan, work_dir)
    if args.report:
        return report(plan, out, work_dir, args.allow_mixed)
    if args.dry_run:
        from mlaface.study.networks import try_networks
        try_networks(plan, work_dir)
    for line in differences(plan, out, work_dir):
        print(f'note: {line}. Remove the files of runs in {out}/runs to make them again')
    if args.slurm:
        from mlaface.study.slurm import submit
        print(submit(plan, out, work_dir, args.slurm, args.jobs, args.dry_run))
        return 0
    jobs = jobs_for(plan, args.jobs)
    queue = Queue(plan, out, work_dir, jobs, lambda line: print(line, flush=True), args.limit)
    missing = queue.missing()
    print(f'{plan.name}: {len(missing)} runs are missing; {jobs} at a time, {plan.threads} threads each')
    if args.dry_run:
        print('\n'.join(item.name for item in missing))
        return 0
    left = queue.run()
    if left:
        print(f'{left} runs are missing still' + ('' if args.limit else ': other processes are at them'))
    return 0


def report(plan, out, work_dir, allow_mixed=False):
    """Write the report of the runs that are done."""
    from mlaface.study.findings import find
    from mlaface.study.mixed import check_mixed
    from mlaface.study.report import write_report
    from mlaface.study.words import verdicts
    findings = find(plan, out, check_mixed(plan, out, work_dir, allow_mixed))
    page = write_report(findings, out)
    print('\n'.join(verdicts(findings)))
    print(f'report: {page}')
    return 0


def show(plan, out):
    """Print which runs are done."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from mlaface.study import runs
    table = Table(title=f'{plan.name}: runs', title_justify='left')
    for column in ('run', 'status', plan.metric, 'processor s', 'commit'):
        table.add_column(column)
    done = runs.results(plan, out)
    for item in runs.all_runs(plan):
        result = done.get(item)
        if result is None:
            table.add_row(escape(item.name), 'missing')
            continue
        last = result['validations'][-1] if result['validations'] else dict(processor=0)
        table.add_row(escape(item.name), result['status'], f'{runs.headline(result, plan.metric):.4f}',
                      f'{last["processor"]:.0f}', str(result.get('commit'))[:12])
    Console().print(table)
    print(f'{len(done)} of {len(runs.all_runs(plan))} done')
    return 0


if __name__ == '__main__':
    main()
