"""The tables of a study's report: heads, rows of texts, and what is to be known to read them."""
from mlaface.study import words
from mlaface.study.resampled import MEAN


def tables(findings):
    """All tables, in order.

    Args:
        findings (dict): From ``findings.find``.

    Returns:
        list[dict]: ``title``, ``id``, ``head``, ``rows`` (cells are texts, or a text and what is said more quietly),
        ``note``.
    """
    found = [comparisons(findings), by_set(findings), final(findings), equal(findings), targets(findings),
             costs(findings)]
    return [table for table in found if table['rows']]


def comparisons(findings):
    """Differences at the end of training."""
    count = findings['count']
    rows = [[row['variant'], row['reference'], str(len(row['seeds'])), (words.signed(row['value']), words.interval(
        row['low'], row['high'])), words.interval(row['low_all'], row['high_all']), words.chance(row['p']),
        words.chance(row['holm']), _number(row['seen']), _number(row['seen_all']), _share(row['seed_share'])]
        for row in findings['comparisons']]
    return dict(
        title='Differences at the end of training', id='comparisons', rows=rows,
        head=['variant', 'against', 'seeds', 'difference, 95% interval', f'interval for all {count}', 'p',
              'p, corrected', 'seen in 80%', f'of all {count}', 'of seeds'],
        note=f'Mean over sets of {words.METRICS.get(findings["metric"], findings["metric"])}, variant less reference, '
             'on the same seeds and test pairs, both taken as drawn by chance. The wide interval holds for all '
             'comparisons of the plan together (Bonferroni), the corrected p is Holm\'s. "Seen in 80%": the '
             'smallest difference that a study of these seeds and this spread finds in 80% of cases, alone and as one '
             'of all. "Of seeds": the share of the variance that more seeds would make smaller; the rest needs more '
             'test pairs.')


def _number(value):
    return f'{value:.4f}' if words.known(value) else ''


def _share(value):
    return f'{value:.0%}' if words.known(value) else ''


def by_set(findings):
    """Differences of each metric on each set, and on their mean."""
    rows = []
    for row in findings['comparisons']:
        for metric, table in row['metrics'].items():
            cells = [(words.signed(entry['value']), words.interval(entry['low'], entry['high']))
                     for entry in (table[place] for place in row['places'])]
            rows.append([f'{row["variant"]} - {row["reference"]}', words.METRICS[metric], *cells])
    places = findings['comparisons'][0]['places'] if findings['comparisons'] else []
    return dict(title='Differences by set and metric', id='sets', head=['comparison', 'metric', *places], rows=rows,
                note='With 95% intervals, each by itself. For EER less is better. AUC uses every pair\'s score and has '
                     'the most power; TAR at FAR 1e-2 the least.')


def final(findings):
    """Means over seeds."""
    places = next((list(table[findings['metric']]) for table in findings['final'].values()
                   if findings['metric'] in table), [])
    rows = [[variant, words.METRICS[metric], *(words.spread(entry) for entry in places_of.values()),
             str(len(places_of[MEAN]['values']))]
            for variant, table in findings['final'].items() for metric, places_of in table.items()]
    return dict(title='Numbers at the end of training', id='final', head=['variant', 'metric', *places, 'runs'],
                rows=rows, note='Mean ± standard deviation over the seeds whose training went to its end.')


def equal(findings):
    """Differences where both have spent the same."""
    axes = [axis for axis in words.AXES if any(axis in row['axes'] for row in findings['equal'])]
    rows = []
    for row in findings['equal']:
        cells = []
        for axis in axes:
            cell = row['axes'].get(axis)
            cells.append('' if cell is None else (words.signed(cell['value']), _at_equal(axis, cell)))
        rows.append([row['variant'], row['reference'], *cells])
    return dict(title='Differences at equal cost', id='equal', rows=rows,
                head=['variant', 'against', *(f'at equal {words.AXES[axis]}' for axis in axes)],
                note='Validation curves, between validations by straight lines, where the cheaper of the two has come '
                     'to its end; p is corrected. The dearer is then in the middle of its schedule, its learning rate '
                     'still high: this speaks against it. Time of an iteration: median over a variant\'s runs.')


def _at_equal(axis, cell):
    unit = dict(processor=' s', wall=' s').get(axis, '')
    p = f'p {words.chance(cell["holm"])}' if words.known(cell['holm']) else ''
    spent = f'at {words.large(cell["spent"])}{unit}'
    return ' '.join(filter(None, [words.interval(cell['low'], cell['high']), p, spent]))


def targets(findings):
    """Ratios of what a target takes."""
    axes = ('iterations', 'processor', 'macs')
    rows = []
    for table in findings['targets']:
        for row in table['ratios']:
            reached = [sum(step is not None for step in table['reached'][row[side]])
                       for side in ('variant', 'reference')]
            rows.append([f'{table["target"]:.4g}', row['variant'], row['reference'], f'{reached[0]} and {reached[1]}',
                         *(words.ratio(row['axes'][axis]) if axis in row['axes'] else '' for axis in axes)])
    nobody = [f'{table["target"]:.4g}' for table in findings['targets'] if table['nobody']]
    return dict(title='What a target takes, variant over reference', id='targets', rows=rows,
                head=['target', 'variant', 'over', 'runs that reach it', *(words.AXES[axis] for axis in axes)],
                note='Geometric mean over seeds with Student\'s interval, at 95%. Where a run never reached the target '
                     'it is a bound, and the interval is one of order statistics, whose confidence is stated; test '
                     'pairs count as given.' + (f' No run reached {", ".join(nobody)}.' if nobody else ''))


def costs(findings):
    """What a variant costs."""
    base = findings['costs'].get(findings['baseline'], {})
    rows = []
    for variant, cost in findings['costs'].items():
        rows.append([variant, *((words.large(cost[key]), words.times(cost[key], base.get(key))) if cost[key] else ''
                                for key in ('image_macs', 'parameters')),
                     *((f'{cost[key]:.3g} s', words.times(cost[key], base.get(key))) if cost[key] else ''
                       for key in ('processor', 'wall')),
                     (f'{cost["memory_mib"]:.0f} MiB', words.times(cost['memory_mib'], base.get('memory_mib')))
                     if cost['memory_mib'] else ''])
    return dict(title='Costs', id='costs', rows=rows,
                head=['variant', 'MACs of an image', 'parameters', 'processor time of an iteration',
                      'wall time of an iteration', 'peak memory'],
                note=f'Medians over seeds, and how many times {findings["baseline"]}. Wall time depends on the load.')
