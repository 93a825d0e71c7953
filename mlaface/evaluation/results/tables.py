"""Result JSON as tables for a terminal."""
from rich.markup import escape
from rich.table import Table


def number(metric, digits=4):
    """A metric with what is known of its spread: ``0.9912 ± 0.0040`` or ``0.9912 [0.9880, 0.9941]``."""
    text = f'{metric["value"]:.{digits}f}'
    if 'low' in metric:
        return f'{text} [{metric["low"]:.{digits}f}, {metric["high"]:.{digits}f}]'
    return f'{text} ± {metric["std"]:.{digits}f}' if 'std' in metric else text


def rows_of(metrics):
    """Metrics as pairs of a name and a text, flat.

    Args:
        metrics (dict): The ``metrics`` of a benchmark's entry.

    Returns:
        list[tuple[str, str]]: In their order.
    """
    names = dict(tar_at_far='TAR at FAR {}', tpir_at_fpir='TPIR at FPIR {}', rank='rank-{}')
    rows = []
    for key, value in metrics.items():
        if key in names:
            rows += [(names[key].format(target), number(row) + _counted(row)) for target, row in value.items()]
        elif isinstance(value, dict) and 'value' in value:
            rows.append((key, number(value)))
        elif isinstance(value, (int, float)):
            rows.append((key, f'{value:.4f}' if isinstance(value, float) else f'{value:,}'))
    return rows


def _counted(row):
    """How many false accepts, or false positives, stand behind a rate."""
    return next((f' ({row[key]:,} {key.replace("_", " ")})' for key in ('false_accepts', 'false_positives')
                 if key in row), '')


def entry_rows(entry):
    """A benchmark's metrics as ``rows_of`` gives them, and after them those of its groups or galleries.

    Args:
        entry (dict): A benchmark's entry of result JSON.

    Returns:
        list[tuple[str, str]]: In their order.
    """
    rows = rows_of(entry['metrics'])
    for name, group in entry.get('groups', {}).items():
        rows.append((f'{name}: accuracy', number(group['metrics']['accuracy'])))
        rates = entry['metrics']['shared_threshold']['groups'][name]
        rows.append((f'{name}: TAR and FAR at the threshold of all', f'{rates["tar"]:.4f}, {rates["far"]:.2e}'))
    for name, metrics in entry.get('galleries', {}).items():
        rows += [(f'{name}: {key}', text) for key, text in rows_of(metrics)]
    return rows


def rules_text(rules):
    """Rules in a line: ``flip sum, norm l2``; those that are not set are left out."""
    return ', '.join(f'{key} {value}' for key, value in rules.items() if value is not None)


def counts_text(counts):
    """Counts in a line: ``6,000 pairs``; nested ones (by gallery) are left out."""
    return ', '.join(f'{value:,} {key}' for key, value in counts.items() if isinstance(value, int))


def benchmark_table(result, name):
    """All numbers of a result, a column a benchmark.

    Args:
        result (dict): Result JSON.
        name (str): The model's; see ``result.model_names``.

    Returns:
        rich.table.Table: To be printed.
    """
    table = Table(title=escape(name), title_justify='left')
    table.add_column('')
    columns = []
    for benchmark, entry in result['benchmarks'].items():
        table.add_column(escape(benchmark), justify='right')
        columns.append(dict([*entry_rows(entry), ('counts', counts_text(entry['counts'])),
                             ('rules', rules_text(entry['rules'])), ('seconds', str(entry.get('seconds', '')))]))
    for key in dict.fromkeys(key for column in columns for key in column):
        table.add_row(escape(key), *(escape(column.get(key, '')) for column in columns))
    if result['mean_accuracy'] is not None:
        table.caption = f'mean accuracy {result["mean_accuracy"]:.4f}'
    return table


def comparison_table(comparison, name, other):
    """The paired comparison with one other model.

    Args:
        comparison (dict): One of ``comparisons`` in result JSON.
        name (str): The first model's.
        other (str): The other's.

    Returns:
        rich.table.Table: To be printed.
    """
    table = Table(title=escape(f'{name} minus {other}'), title_justify='left')
    for column in ('', 'metric', 'difference', '95% interval', 'only first', 'only second', 'McNemar p'):
        table.add_column(column, overflow='fold', justify='left' if column in ('', 'metric') else 'right')
    for benchmark, entry in comparison['benchmarks'].items():
        table.add_row(escape(benchmark), *comparison_cells(entry))
    return table


def comparison_cells(entry):
    """One benchmark of a comparison as texts: metric, difference, interval, McNemar's counts and p.

    Args:
        entry (dict): From ``certainty.compare_samples``.

    Returns:
        list[str]: Six texts, empty where there is nothing.
    """
    gap, test = entry['difference'], entry['mcnemar']
    spread = f'{gap["low"]:+.4f}..{gap["high"]:+.4f}' if 'low' in gap else ''
    counts = [str(test['only_first']), str(test['only_second']), f'{test["p_value"]:.3g}'] if test else ['', '', '']
    return [entry['metric'], f'{gap["value"]:+.4f}', spread, *counts]
