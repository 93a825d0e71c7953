"""How fast faces are drawn."""
import time

import cv2

from mlaface.cli.benchmarks.harness import measure, paired_ratio, result, row
from mlaface.datasets.synthetic.generate import STYLES, drawing
from mlaface.datasets.synthetic.nuisance import TRAINING


def compare_styles(args):
    """Drawing faces of every style in turn, on one thread.

    Returns:
        dict: Benchmark JSON with images a second of processor time.
    """
    cv2.setNumThreads(1)
    people = max(args.images // 12, 1)

    def case(style):
        draw = drawing(style)

        def run():
            start = time.process_time()
            for number in range(people):
                draw((number, range(12)), 1, TRAINING)
            return time.process_time() - start
        return run
    seconds = measure({style: case(style) for style in STYLES}, args.repeats)
    rates = {name: [12 * people / value for value in values] for name, values in seconds.items()}
    return result('data --drawing', [row(name, values, 'images/s of processor time') for name, values in rates.items()],
                  {'heads over flat': paired_ratio(rates['heads'], rates['flat'])})
