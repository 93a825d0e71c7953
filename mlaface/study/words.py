"""Numbers of findings as texts, the same in the page and in the Markdown tables."""
import math

AXES = dict(iterations='iterations', processor='processor time', wall='wall time', macs='multiply-accumulates')
METRICS = {'accuracy': 'accuracy', 'auc': 'AUC', 'eer': 'EER', 'tar_at_far.1e-2': 'TAR at FAR 1e-2'}

UNITS = (1e18, 'E'), (1e15, 'P'), (1e12, 'T'), (1e9, 'G'), (1e6, 'M'), (1e3, 'k')
UNSCORED = 'Runs without scores of their pairs, whose comparisons take the pairs as given'


def known(value):
    """Whether a number is there: neither None nor NaN (bool)."""
    return value is not None and not math.isnan(value)


def signed(value, digits=4):
    """``+0.0123``."""
    return f'{value:+.{digits}f}' if known(value) else 'not known'


def interval(low, high, digits=4):
    """``[-0.0100, +0.0200]``, or nothing where there is no interval."""
    return f'[{low:+.{digits}f}, {high:+.{digits}f}]' if known(low) and known(high) else ''


def chance(p):
    """A p-value: ``0.03``, ``< 0.001``."""
    if not known(p):
        return ''
    return '< 0.001' if p < 0.001 else f'{p:.3f}' if p < 0.1 else f'{p:.2f}'


def spread(entry, digits=4):
    """``0.8123 ± 0.0045`` of a mean and a standard deviation over seeds."""
    text = f'{entry["mean"]:.{digits}f}'
    return text if entry['sd'] is None else f'{text} ± {entry["sd"]:.{digits}f}'


def ratio(entry):
    """A ratio as texts: the number and its interval, or a bound, and how sure it is.

    Args:
        entry (dict): A ``Ratio``.

    Returns:
        tuple[str, str]: ``('0.83', '[0.70, 0.99]')``; ``('> 1.20', '...')``.
    """
    low, high = entry['low'], entry['high']
    seeds = entry['seeds']
    if entry['kind'] == 'mean':
        return f'{entry["value"]:.2f}', f'[{low:.2f}, {high:.2f}]' if known(low) else f'({seeds} seed)'
    note = f'{entry["censored"]} of {seeds} {"seed is a bound" if seeds == 1 else "seeds are bounds"}'
    if low == 0 and not math.isfinite(high):
        return 'not known', f'({note})'
    end = f'< {high:.2f}' if low == 0 else f'[{low:.2f}, {high:.2f}]' if math.isfinite(high) else f'> {low:.2f}'
    sure = f'at {entry["confidence"]:.0%}, ' if entry['confidence'] > 0 else ''
    if known(entry['value']) and math.isfinite(entry['value']):
        return f'{entry["value"]:.2f}', f'{end} {sure}{note}'
    return end, f'({sure}{note})'


def large(value):
    """``10.8 G`` of a count."""
    if round(value) < 10_000:
        return f'{value:.4g}'
    shown = float(f'{value:.3g}')  # 999,600 is a million
    size, letter = next(unit for unit in UNITS if shown >= unit[0])
    return f'{value / size:.3g} {letter}'


def times(value, other):
    """``1.25 x``: how many times the other it is."""
    return f'{value / other:.2f} x' if value and other else ''


def verdicts(findings):
    """What the comparisons say, a sentence each (list[str])."""
    lines = []
    for row in findings['comparisons']:
        name = f'{row["variant"]} - {row["reference"]}'
        if not known(row['low_all']):
            lines.append(f'{name}: {signed(row["value"])} on {len(row["seeds"])} seed; an interval needs two')
            continue
        better, worse = row['low_all'] > 0, row['high_all'] < 0
        what = 'is better' if better else 'is worse' if worse else 'is not told apart'
        seen = f'; a difference of {row["seen_all"]:.4f} would have been seen in 80% of such studies' if known(
            row['seen_all']) else ''
        lines.append(f'{name}: {what} ({signed(row["value"])} {interval(row["low_all"], row["high_all"])}, corrected '
                     f'p {chance(row["holm"])}){"" if better or worse else seen}')
    return lines


def beats_everywhere(findings):
    """Comparisons whose intervals exclude zero in favour of the variant on every set by itself (list[str])."""
    return [f'{row["variant"]} over {row["reference"]}' for row in findings['comparisons']
            if len(row['places']) > 1 and set(row['all_sets']) == set(row['places']) - {'mean'}]
