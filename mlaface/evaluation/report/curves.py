"""ROC and DET as they are drawn: both axes of DET and the first of ROC are logarithmic, where zero has no place."""
import math


def smallest_far(curves):
    """The smallest rate above zero of any curve, rounded down to a power of ten; an axis may begin there (float)."""
    rates = [far for curve in curves for far in curve['far'] if far > 0]
    return decade(min(rates)) if rates and min(rates) < 1 else 0.1


def smallest_miss(curves):
    """The same for the rates of misses (float)."""
    return decade(min([0.1, *(miss for curve in curves for miss in curve['miss'] if miss > 0)]))


def decade(value):
    """The power of ten at or below a number (float)."""
    return 10.0 ** math.floor(math.log10(value))


def roc_line(curve, least):
    """A curve from the edge of the axis on.

    Args:
        curve (dict): ``far``, ``tar``, ``miss`` and ``threshold``, from the highest threshold down.
        least (float): Where the axis of FAR begins; all without a false accept stands there as its best point.

    Returns:
        dict: ``x``, ``y`` and ``rows``, the points' numbers in the curve.
    """
    rows = _from_the_last_without(curve['far'])
    return dict(x=[max(curve['far'][row], least) for row in rows], y=[curve['tar'][row] for row in rows], rows=rows)


def det_line(curve, least, lowest):
    """The same for misses (see ``roc_line``): where none is left, the line drops to ``lowest`` and ends."""
    rows = _from_the_last_without(curve['far'])
    end = next((place for place, row in enumerate(rows) if curve['miss'][row] == 0), len(rows))
    rows = rows[:end + 1]
    return dict(x=[max(curve['far'][row], least) for row in rows], y=[max(curve['miss'][row], lowest) for row in rows],
                rows=rows)


def _from_the_last_without(far):
    """Numbers of the points from the last one without a false accept on."""
    first = max((row for row, rate in enumerate(far) if rate == 0), default=0)
    return list(range(first, len(far)))
