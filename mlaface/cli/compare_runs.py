"""``tools/analysis/compare.py``: training runs side by side; the first named is the baseline."""
from mlaface.cli.parts.arguments import command, written_file, written_folder
from mlaface.cli.parts.errors import explained

EXAMPLES = """examples:
  python tools/analysis/compare.py work_dirs/arcface_mbf_synthetic work_dirs/mla_mbf_synthetic --report compare
  python tools/analysis/compare.py ArcFace=runs/a0,runs/a1 MLA=runs/m0,runs/m1 --targets 0.9 0.95 --out compare.json
  python tools/analysis/compare.py runs/a runs/b --metric lfw/accuracy --report compare

A run that never reached a target counts with its last validation, and the ratio becomes a bound: > or <.
"""


def make_parser():
    """The command's arguments."""
    parser = command('compare-runs', 'Compare training runs: convergence and final numbers.', EXAMPLES)
    parser.add_argument('runs', nargs='+', metavar='RUN', help='work folder, or NAME=FOLDER,FOLDER for several seeds')
    parser.add_argument('--metric', default='mean_accuracy', help='validated number (default mean_accuracy)')
    parser.add_argument('--targets', type=float, nargs='+', metavar='X', help='accuracies to reach (default: 80, 90, '
                        '95 and 100%% of the way to what all runs reached)')
    parser.add_argument('--out', type=written_file, metavar='FILE', help='JSON')
    parser.add_argument('--report', type=written_folder, metavar='DIR', help='compare.html and its charts as PNG')
    return parser


def main(argv=None):
    """Compare as the arguments say.

    Args:
        argv (list[str] or None): Arguments; None takes the process's.
    """
    args = make_parser().parse_args(argv)
    with explained():
        run(args)


def run(args):
    """Read, compare, show, write.

    Args:
        args (Namespace): From ``make_parser``.

    Returns:
        dict: ``schema``, ``metric``, ``convergence``, ``intervals``, ``final``.
    """
    from rich.console import Console
    from rich.markup import escape

    from mlaface.evaluation.report.compare import interval_note
    from mlaface.evaluation.results.result import write_result
    from mlaface.evaluation.training_runs import convergence, reading
    methods = reading.read_methods(args.runs)
    reading.check_metric(methods, args.metric)
    targets = args.targets or convergence.default_targets(methods, args.metric)
    found = dict(schema=1, metric=args.metric, convergence=convergence.convergence(methods, args.metric, targets),
                 intervals=convergence.unequal_intervals(methods, args.metric),
                 final=convergence.final_numbers(methods))
    console = Console()
    console.print(_convergence_table(methods, found))
    if found['intervals']:
        console.print('[bold yellow]warning:[/]', escape(interval_note(found['intervals'])), highlight=False)
    console.print(_final_table(found))
    if args.out:
        write_result(found, args.out)
        console.print('result:', escape(args.out))
    if args.report:
        from mlaface.evaluation.report.compare import write_comparison
        console.print('report:', escape(str(write_comparison(methods, found, args.report))))
    return found


def _convergence_table(methods, found):
    from rich.markup import escape
    from rich.table import Table

    from mlaface.evaluation.report.compare import ratio_text, steps_text
    table = Table(title=escape(f'iterations to reach {found["metric"]}'), title_justify='left')
    table.add_column('target', justify='right')
    for method in methods:
        table.add_column(escape(method.name), justify='right')
    for method in methods[1:]:
        table.add_column(escape(f'{method.name} / {methods[0].name}'), justify='right')
    for row in found['convergence']:
        cells = [row['methods'][method.name] for method in methods]
        table.add_row(f'{row["target"]:.4f}', *(' '.join(steps_text(cell)) for cell in cells),
                      *(' '.join(ratio_text(cell['ratio'])) for cell in cells[1:]))
    return table


def _final_table(found):
    from rich.markup import escape
    from rich.table import Table

    from mlaface.evaluation.results.tables import number
    table = Table(title='last validation', title_justify='left')
    for column in ('method', 'metric', 'value', 'best', 'seeds'):
        table.add_column(column, justify='left' if column in ('method', 'metric') else 'right')
    for name, rows in found['final'].items():
        for metric, row in rows.items():
            seeds = ' '.join(f'{value:.4f}' for value in row['values'])
            table.add_row(escape(name), escape(metric), escape(number(row)), f'{row["best"]:.4f}', seeds)
    return table


if __name__ == '__main__':
    main()
