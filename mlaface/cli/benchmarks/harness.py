"""Measure cases in turn inside one run, and write benchmark JSON (schema 1 of the design)."""
import json
import platform
import statistics
import time
from datetime import datetime, timezone
from pathlib import Path

from mlaface.version import __version__


def environment():
    """Versions, processor and threads that a figure depends on, as a dict."""
    import torch
    return dict(mlaface=__version__, torch=torch.__version__, python=platform.python_version(),
                machine=platform.machine(), device='cuda' if torch.cuda.is_available() else 'cpu',
                cpu_threads=torch.get_num_threads(), date=datetime.now(timezone.utc).isoformat(timespec='seconds'))


def measure(cases, repeats=5, warmup=1):
    """Time callables in turn (A B A B ...), warm-up rounds left out.

    Args:
        cases (dict[str, callable]): What is compared; a callable may return the seconds it wants counted.
        repeats (int): Counted rounds.
        warmup (int): Rounds before them that do not count.

    Returns:
        dict[str, list[float]]: Seconds of each counted round, by case.
    """
    seconds = {name: [] for name in cases}
    for number in range(warmup + repeats):
        for name, case in cases.items():
            start = time.perf_counter()
            own = case()
            spent = own if isinstance(own, float) else time.perf_counter() - start
            if number >= warmup:
                seconds[name].append(spent)
    return seconds


def row(case, values, unit):
    """One row of the table from the values of its repeats."""
    return dict(case=case, value=statistics.median(values), unit=unit, repeats=len(values), min=min(values),
                median=statistics.median(values), max=max(values))


def paired_ratio(over, under):
    """Median over rounds of ``over[i] / under[i]``, which stands drift of the machine's speed."""
    return statistics.median(a / b for a, b in zip(over, under))


def result(name, rows, ratios):
    """Benchmark JSON as a dict."""
    return dict(schema=1, name=name, environment=environment(), rows=rows, ratios=ratios)


def show(report, out=None):
    """Print a benchmark as a table and, given a path, write its JSON."""
    from rich.console import Console
    from rich.table import Table
    table = Table(title=f'benchmark {report["name"]} ({report["environment"]["cpu_threads"]} threads)')
    for column in ('case', 'median', 'min', 'max', 'unit', 'repeats'):
        table.add_column(column, justify='left' if column in ('case', 'unit') else 'right', overflow='fold')
    for line in report['rows']:
        table.add_row(line['case'], *(f'{line[k]:.4g}' for k in ('median', 'min', 'max')), line['unit'],
                      str(line['repeats']))
    console = Console()
    console.print(table)
    for name, value in report['ratios'].items():
        console.print(f'{name}: {value:.4g}', highlight=False)
    if out:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(json.dumps(report, indent=2) + '\n')
