"""How often intervals find a difference where there is none: the table of docs/studies.md; no test, takes a minute."""
import math

import numpy as np
from scipy import stats
from test_crossed_intervals import study

from mlaface.study.statistics import crossed_difference

CASES = [(2, 0.03, 0.2), (2, 0.0, 0.3), (3, 0.02, 0.3), (5, 0.03, 0.2), (7, 0.0, 0.3), (5, 0.06, 0.0)]


def hillis(difference):
    """Whether a difference is found with the degrees of freedom of Hillis (2007)."""
    own, total = difference.seed_variance, difference.seed_variance + difference.pair_variance
    freedom = min((total / own) ** 2 * (difference.seeds - 1), 1e6) if own else 1e6
    return abs(difference.value) > stats.t.ppf(0.975, freedom) * math.sqrt(total)


def main(studies=400):
    """Print a line a case: seeds, spreads, shares of studies."""
    for seeds, by_seed, by_pair in CASES:
        random = np.random.default_rng(0)
        found = [crossed_difference(*study(random, seeds, 300, 150, 0, by_seed, by_pair)) for _ in range(studies)]
        ours, other = np.mean([one.p < 0.05 for one in found]), np.mean([hillis(one) for one in found])
        print(f'{seeds} seeds, spread {by_seed} by seed, {by_pair} by pair: {ours:.3f} as here, {other:.3f} by Hillis')


if __name__ == '__main__':
    main()
