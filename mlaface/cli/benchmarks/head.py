"""``benchmark.py head``: step time and peak memory of the classifier: full, sampled, chunked.

Each case runs in fresh processes, so that its peak of resident memory is its own; the cases take turns.

Examples:
  python tools/analysis/benchmark.py head --out head.json
  python tools/analysis/benchmark.py head --classes 1000000 --ranks 1 --cases full sampled
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from mlaface.cli.benchmarks import harness
from mlaface.cli.parts.arguments import command

CASES = dict(full={}, sampled=dict(sample_rate=0.1), chunked=dict(chunk_size=16384))
SETTINGS = dict(lr=0.1, momentum=0.9, weight_decay=5e-4)


def _parser():
    parser = command('benchmark head', __doc__)
    parser.add_argument('--classes', type=int, nargs='+', default=[10_000, 100_000, 1_000_000],
                        help='numbers of classes')
    parser.add_argument('--ranks', type=int, nargs='+', default=[1, 2], help='numbers of gloo processes')
    parser.add_argument('--cases', nargs='+', choices=list(CASES), default=list(CASES), help='what is compared')
    parser.add_argument('--batch-size', type=int, default=128, help='embeddings of a step over all ranks')
    parser.add_argument('--width', type=int, default=512, help='numbers of an embedding')
    parser.add_argument('--margin', default='ArcFace', help='type of the margin')
    parser.add_argument('--repeats', type=int, default=5, help='timed steps of a process, after two untimed')
    parser.add_argument('--rounds', type=int, default=2, help='turns of all cases')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='threads of all ranks together')
    parser.add_argument('--out', help='write benchmark JSON')
    parser.add_argument('--child', help=argparse.SUPPRESS)
    return parser


def _head(job):
    """The head and its optimizer, as a training run builds them."""
    from mlaface.engine.optimizers.sgd import RowSGD
    from mlaface.registry import MODELS
    head = MODELS.build(dict(type='MarginHead', num_classes=job['classes'], embedding_size=job['width'],
                             margin=dict(type=job['margin']), **CASES[job['case']]))
    optimizer = RowSGD(head.parameters(), **SETTINGS)
    optimizer.attach(head)
    return head.train(), optimizer


def _step(head, optimizer, embeddings, labels):
    """Forward, backward, update; seconds."""
    start = time.perf_counter()
    head.loss(embeddings, labels)['loss'].backward()
    optimizer.step()
    optimizer.zero_grad()
    return time.perf_counter() - start


def _resident():
    """Most resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024


def _child(job):
    """Measure one case on one rank and print seconds and bytes."""
    import torch

    from mlaface.engine.distributed import barrier, join_ranks, leave_ranks
    torch.set_num_threads(job['threads'])
    if job['ranks'] > 1:
        join_ranks('gloo', init_method=f'file://{job["meeting"]}', rank=job['rank'], world_size=job['ranks'])
    generator = torch.Generator().manual_seed(job['rank'])
    size = job['batch_size'] // job['ranks']
    warm, _ = _head({**job, 'classes': 4 * job['ranks']})  # imports, thread pools: not the head's memory
    warm.loss(torch.randn(size, job['width']), torch.zeros(size, dtype=torch.int64))['loss'].backward()
    before = _resident()
    head, optimizer = _head(job)
    seconds = []
    for _ in range(2 + job['repeats']):
        embeddings = torch.randn(size, job['width'], generator=generator, requires_grad=True)
        labels = torch.randint(0, job['classes'], (size,), generator=generator)
        barrier()
        seconds.append(_step(head, optimizer, embeddings, labels))
    print(json.dumps(dict(seconds=seconds[2:], bytes=_resident() - before)))
    leave_ranks()


def _run(job):
    """Run a case on its ranks: seconds of the slowest rank a step, and the bytes of the largest rank."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = [{**job, 'rank': rank, 'meeting': f'{folder}/meeting'} for rank in range(job['ranks'])]
        children = [subprocess.Popen([sys.executable, '-m', 'mlaface.cli.benchmarks.head', '--child', json.dumps(one)],
                                     stdout=subprocess.PIPE, text=True, env={**os.environ, 'PYTHONWARNINGS': 'ignore'})
                    for one in jobs]
        texts = [child.communicate()[0] for child in children]
        if any(child.returncode for child in children):
            raise RuntimeError(f'{job["case"]} with {job["classes"]:,} classes on {job["ranks"]} rank(s) failed')
    results = [json.loads(text.splitlines()[-1]) for text in texts]
    return dict(seconds=[max(step) for step in zip(*(one['seconds'] for one in results))],
                bytes=max(one['bytes'] for one in results))


def _compare(args, classes, ranks):
    """All cases at one size, in turn."""
    found = {case: dict(seconds=[], bytes=[]) for case in args.cases}
    for _ in range(args.rounds):
        for case in args.cases:
            result = _run(dict(case=case, classes=classes, ranks=ranks, batch_size=args.batch_size, width=args.width,
                               margin=args.margin, repeats=args.repeats, threads=max(1, args.threads // ranks)))
            found[case]['seconds'] += result['seconds']
            found[case]['bytes'].append(result['bytes'])
    return found


def _summarise(args, classes, ranks, found):
    """Rows and ratios of one size."""
    where = f'{classes:,} classes, {ranks} rank(s)'
    rows, ratios = [], {}
    training = 3 * 4 * args.width * -(-classes // ranks)
    for case, values in found.items():
        rows.append(harness.row(f'{case}, {where}: step', [1e3 * second for second in values['seconds']], 'ms'))
        rows.append(harness.row(f'{case}, {where}: peak of a rank', [size / 1e6 for size in values['bytes']], 'MB'))
        ratios[f'{where}: peak of {case} over weights + gradients + momentum'] = \
            statistics.median(values['bytes']) / training
    for case in found:
        if case != 'full' and 'full' in found:
            over, under = ('full', case) if case == 'sampled' else (case, 'full')
            ratios[f'{where}: time of {over} over {under}'] = harness.paired_ratio(
                found[over]['seconds'], found[under]['seconds'])
    return rows, ratios


def main(argv=None):
    """Run the benchmark.

    Args:
        argv (list[str] | None): Arguments.

    Returns:
        dict | None: Benchmark JSON; None in a measuring process.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if args.child:
        return _child(json.loads(args.child))
    if min(*args.classes, *args.ranks, args.batch_size, args.repeats, args.rounds, args.threads) < 1:
        parser.error('all numbers must be above 0')
    if any(args.batch_size % ranks for ranks in args.ranks):
        parser.error(f'--batch-size {args.batch_size} cannot be divided by all of --ranks')
    rows, ratios = [], {}
    for classes in args.classes:
        for ranks in args.ranks:
            more, compared = _summarise(args, classes, ranks, _compare(args, classes, ranks))
            rows += more
            ratios.update(compared)
    report = harness.result('head', rows, ratios)
    report['settings'] = {key: value for key, value in vars(args).items() if key not in ('out', 'child')}
    harness.show(report, args.out)
    return report


if __name__ == '__main__':
    main()
