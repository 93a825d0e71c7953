"""Speed and memory of the evaluation's mathematics: ten folds, IJB templates, 1:N search.

A large case is one function of ``_eval_cases.CASES``. Memory is the peak of a fresh process that runs nothing but its
case, generation of the data included.
"""
import json
import subprocess
import sys

from mlaface.cli.benchmarks import _eval_cases, harness
from mlaface.cli.parts.arguments import command

ONLY = ('pairs', *_eval_cases.CASES)
EPILOG = """examples:
  python tools/analysis/benchmark.py eval --size small
  python tools/analysis/benchmark.py eval --only pairs --repeats 9 --out pairs.json
  python tools/analysis/benchmark.py eval --size full --only templates blocks faiss bare_faiss"""


def parser():
    """The command line."""
    cli = command('benchmark eval', __doc__, EPILOG)
    cli.add_argument('--size', choices=tuple(_eval_cases.SIZES), default='full',
                     help='full: 6,000 pairs, IJB-C, 19,593 probes against 1 M (minutes); small: seconds')
    cli.add_argument('--only', nargs='+', choices=ONLY, default=ONLY, metavar='CASE',
                     help=f'cases to run: {", ".join(ONLY)} (default: all)')
    cli.add_argument('--repeats', type=int, default=5, help='counted rounds of the pairs case (default: 5)')
    cli.add_argument('--rounds', type=int, default=1, help='rounds of the large cases, in turn (default: 1)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


def pairs_rows(size, repeats):
    """The ten-fold protocol against the plainly written routine, in turn.

    Returns:
        tuple[list, dict]: Rows and ratios of benchmark JSON.

    Raises:
        RuntimeError: If the two disagree on a number.
    """
    from mlaface.evaluation.functional.pairs import PairRules, evaluate_pairs
    embeddings, flipped, issame = _eval_cases.generated_pairs(size['pairs'])
    answers = {}

    def ours():
        metrics = evaluate_pairs(embeddings, issame, flipped=flipped, rules=PairRules(compat='insightface'))['metrics']
        answers['ours'] = metrics['accuracy']['value'], metrics['val']['value']

    def plain():
        answers['plain'] = _eval_cases.plain_ten_folds(embeddings, flipped, issame)

    seconds = harness.measure(dict(mlaface=ours, plain=plain), repeats)
    if any(abs(a - b) > 1e-12 for a, b in zip(answers['ours'], answers['plain'])):
        raise RuntimeError(f'the routines disagree, so that their times mean nothing: {answers}')
    rows = [harness.row(f'{size["pairs"]} pairs, {name}', values, 's') for name, values in seconds.items()]
    return rows, {'pairs: plain over mlaface': harness.paired_ratio(seconds['plain'], seconds['mlaface'])}


def child(case, size):
    """Run a case in a fresh process; its report as a dict.

    Raises:
        RuntimeError: If the process fails; carries the end of what it said.
    """
    done = subprocess.run([sys.executable, '-m', 'mlaface.cli.benchmarks._eval_cases', case, size],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'case {case} at size {size} ended with {done.returncode}: {done.stderr[-2000:]}')
    return json.loads(done.stdout)


def large_rows(cases, size, rounds):
    """The large cases in turn, each in a process of its own.

    Returns:
        tuple[list, dict]: Rows (seconds of each step, peak memory) and ratios.
    """
    reports = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            reports[case].append(child(case, size))
    rows, totals = [], {}
    for case, done in reports.items():
        for step in done[0]['seconds']:
            rows.append(harness.row(f'{case}, {step}', [report['seconds'][step] for report in done], 's'))
        rows.append(harness.row(f'{case}, peak memory', [report['peak_bytes'] / 2 ** 30 for report in done], 'GiB'))
        totals[case] = [report['seconds']['total'] for report in done]
    _check_same({case: done[0]['metrics'] for case, done in reports.items() if 'metrics' in done[0]})
    return rows, {f'1:N: bare FAISS over {case}': harness.paired_ratio(totals['bare_faiss'], totals[case])
                  for case in ('blocks', 'faiss') if {case, 'bare_faiss'} <= totals.keys()}


def _check_same(metrics):
    """Refuse times of searches that do not find the same.

    Raises:
        RuntimeError: If the numbers of two cases differ.
    """
    first, *others = metrics.values() or [None]
    if any(other != first for other in others):
        raise RuntimeError(f'the searches disagree, so that their times mean nothing: {metrics}')


def main(argv):
    """Run the chosen cases, print the table and write the JSON."""
    arguments = parser().parse_args(argv)
    rows, ratios = [], {}
    if 'pairs' in arguments.only:
        rows, ratios = pairs_rows(_eval_cases.SIZES[arguments.size], arguments.repeats)
    large = [case for case in arguments.only if case in _eval_cases.CASES]
    more_rows, more_ratios = large_rows(large, arguments.size, arguments.rounds)
    harness.show(harness.result('eval', rows + more_rows, ratios | more_ratios), arguments.out)
