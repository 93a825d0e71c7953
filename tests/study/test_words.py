"""Numbers of a report as texts."""
import math

import pytest

from mlaface.study import words
from mlaface.study.statistics import paired_ratio


@pytest.mark.parametrize('first, second, texts', [
    ([120, 90], [100, 100], ('1.04', '[0.17, 6.46]')), ([120], [100], ('1.20', '(1 seed)')),
    ([math.nan, math.nan], [100, 50], ('> 2.00', '(at 50%, 2 of 2 seeds are bounds)')),
    ([100, 50], [math.nan, math.nan], ('< 0.50', '(at 50%, 2 of 2 seeds are bounds)')),
    ([math.nan], [math.nan], ('not known', '(1 of 1 seed is a bound)')),
    ([100, 100, math.nan], [100, 50, 100], ('2.00', '> 1.00 at 75%, 1 of 3 seeds are bounds'))])
def test_ratios_and_bounds(first, second, texts):
    found = words.ratio(paired_ratio(first, second, [(200, 200)] * len(first))._asdict())
    assert found == texts


def test_chances_and_counts():
    assert [words.chance(p) for p in (1e-5, 0.012, 0.5, math.nan)] == ['< 0.001', '0.012', '0.50', '']
    assert [words.large(value) for value in (210, 168e6, 2.257e12)] == ['210', '168 M', '2.26 T']
