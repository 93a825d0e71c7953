"""Numbers to places along an axis, linear or logarithmic, and what is marked on it."""
import math


class Axis:
    """Numbers to places along one direction.

    Args:
        low (float): Number at ``first``.
        high (float): Number at ``last``.
        first (float): Place of ``low``, in pixels.
        last (float): Place of ``high``, in pixels.
        log (bool): Logarithmic; then both ends are above zero, and smaller numbers stand at ``low``.
    """

    def __init__(self, low, high, first, last, log=False):
        self.log, self.low, self.high, self.first, self.last = log, low, high, first, last

    def place(self, value):
        """The pixel of a number, kept inside the chart."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return round(self.first + (value - low) / (high - low) * (self.last - self.first), 2)

    def ticks(self):
        """Numbers to mark, with their labels."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [(10.0 ** power, '1' if power == 0 else f'1e{power}') for power in powers]
        step = _nice_step((self.high - self.low) / 6)
        count = math.floor((self.high - math.ceil(self.low / step - 1e-9) * step) / step + 1e-9)
        start = math.ceil(self.low / step - 1e-9)
        return [((start + k) * step, f'{(start + k) * step:.4g}') for k in range(count + 1)]


def _nice_step(rough):
    """The next of 1, 2, 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
