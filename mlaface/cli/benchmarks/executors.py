"""Where pieces run, compared: start-up, what a piece costs besides its work, packing, and a node that is killed.

Examples:
  python tools/analysis/benchmark.py executors
  python tools/analysis/benchmark.py executors --executors local ray dask
"""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlaface.cli.benchmarks.harness import result, row, show
from mlaface.cli.parts.arguments import command
from mlaface.registry import EXECUTORS
from mlaface.utils.executors.job import Job

QUICK = dict(health_check_initial_delay_ms=500, health_check_period_ms=500, health_check_failure_threshold=2)


def parse_args(argv):
    """Arguments of the command line."""
    parser = command('benchmark executors', __doc__)
    parser.add_argument('--executors', nargs='+', choices=('local', 'ray', 'dask'), default=['local'],
                        help='of two nodes, or processes, of a core each; ray and dask must be installed')
    parser.add_argument('--pieces', type=int, default=200, help='that do nothing (default: %(default)s)')
    parser.add_argument('--images', type=int, default=4096, help='drawn, to be packed (default: %(default)s)')
    parser.add_argument('--rounds', type=int, default=3, help='default: %(default)s')
    parser.add_argument('--out', help='write the result as JSON')
    return parser.parse_args(argv)


def open_pieces(seconds=0):
    """Pieces that wait so many seconds."""
    def make(piece, file):
        time.sleep(seconds)
        file.write(b'%d' % piece[0])
    return make


@contextlib.contextmanager
def two_local():
    """Processes of this machine; there is no node to kill."""
    yield EXECUTORS.build(dict(type='local', processes=2)), None


@contextlib.contextmanager
def two_ray():
    """A Ray cluster on loopback."""
    os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
    import ray
    from ray.cluster_utils import Cluster
    cluster = Cluster(initialize_head=True, head_node_args=dict(num_cpus=1, include_dashboard=False,
                                                               _system_config=QUICK))
    try:
        node = cluster.add_node(num_cpus=1, node_ip_address='127.0.0.2')  # so that we are not on it
        yield EXECUTORS.build(dict(type='ray', address=cluster.address)), lambda: cluster.remove_node(
            node, allow_graceful=False)
    finally:
        ray.shutdown()
        cluster.shutdown()


@contextlib.contextmanager
def two_dask():
    """A scheduler and two workers on loopback."""
    import mlaface.cli.benchmarks._dask  # noqa: F401
    with contextlib.ExitStack() as stack:
        def start(*words):
            process = subprocess.Popen([sys.executable, '-m', 'distributed.cli.' + words[0], *words[1:]],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            stack.callback(process.wait)
            stack.callback(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGKILL))
            return process
        start('dask_scheduler', '--host', '127.0.0.1', '--port', '18786', '--no-dashboard')
        workers = [start('dask_worker', '127.0.0.1:18786', '--nthreads', '1', '--no-dashboard', '--no-nanny')
                   for _ in range(2)]
        from distributed import Client
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), Client('127.0.0.1:18786', timeout=5) as client:
                client.wait_for_workers(2, timeout=30)
                break
        yield EXECUTORS.build(dict(type='dask', address='127.0.0.1:18786')), lambda: os.killpg(
            workers[1].pid, signal.SIGKILL)


def timed(function, *arguments):
    """Seconds of a call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def run_job(executor, folder, count, seconds=0, watch=lambda count: None):
    """Pieces that wait."""
    Job(folder, f'{__name__}:open_pieces', dict(seconds=seconds), [[k] for k in range(count)],
        dict(seconds=seconds)).run(executor, watch)


def drawn_folder(folder, count):
    """A folder of identities with so many drawn faces, of which each comes eight times."""
    from mlaface.datasets.synthetic.official import draw
    for number, images in enumerate(draw(max(1, count // 128), 16)):
        place = Path(folder, 'set', f'{number:04}')
        place.mkdir(parents=True)
        for copy in range(128):
            (place / f'{copy}.jpg').write_bytes(images[copy % 16])
    return folder / 'set'


def measured(name, source, folder, args):
    """Rows of one executor."""
    from mlaface.datasets.archives.convert import convert
    from mlaface.datasets.archives.examine import Rules
    rows, begun = [], time.perf_counter()
    with dict(local=two_local, ray=two_ray, dask=two_dask)[name]() as (executor, kill):
        rows.append(row(f'{name}: two nodes are up', [time.perf_counter() - begun], 's'))
        rows.append(row(f'{name}: a first job of two empty pieces', [
            timed(run_job, executor, folder / f'{name}-first', 2)], 's'))
        rows.append(row(f'{name}: another', [
            timed(run_job, executor, folder / f'{name}-two{k}', 2) for k in range(args.rounds)], 's'))
        rows.append(row(f'{name}: each of {args.pieces} empty pieces', [
            1000 * timed(run_job, executor, folder / f'{name}-many{k}', args.pieces) / args.pieces
            for k in range(args.rounds)], 'ms'))
        rows.append(row(f'{name}: packing {args.images} images in pieces of 256', [
            timed(lambda k=k: convert(source, folder / f'{name}-packed{k}', 'records', Rules((112, 112), 95),
                                      executor=executor, piece_size=256)) for k in range(args.rounds)], 's'))
        rows.append(row(f'{name}: of it, putting together, processor time an image', [
            1e6 * _together(source, folder / f'{name}-again{k}', executor) / args.images
            for k in range(args.rounds)], 'us'))
        whole = timed(run_job, executor, folder / f'{name}-whole', 20, 0.5)
        rows.append(row(f'{name}: 20 pieces of 0.5 s', [whole], 's'))
        if kill:
            seen = []

            def watch(count):
                seen.append(count)
                if sum(seen) == 5:
                    kill()
            rows.append(row(f'{name}: the same, a node killed after five', [
                timed(run_job, executor, folder / f'{name}-killed', 20, 0.5, watch)], 's'))
    return rows


def _together(source, out, executor):
    """Seconds of the processor that a convert needs behind its pieces."""
    from mlaface.datasets.archives.convert import convert
    from mlaface.datasets.archives.examine import Rules
    done = []

    def watch(total):
        return lambda count: done.append(time.process_time())
    convert(source, out, 'records', Rules((112, 112), 95), executor=executor, piece_size=256, watch_pieces=watch)
    return time.process_time() - done[-1]


def main(argv):
    """Run the benchmark that the arguments ask for."""
    from mlaface.datasets.archives.convert import convert
    from mlaface.datasets.archives.examine import Rules
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        source = drawn_folder(folder, args.images)
        rows = [row(f'no executor: packing {args.images} images, {threads} threads', [
            timed(lambda k=k, threads=threads: convert(source, folder / f'plain{threads}-{k}', 'records',
                                                       Rules((112, 112), 95), workers=threads))
            for k in range(args.rounds)], 's') for threads in (1, 2)]
        begun = time.process_time()
        convert(source, folder / 'processor', 'records', Rules((112, 112), 95), workers=1)
        rows.append(row('no executor: processor time an image', [
            1e6 * (time.process_time() - begun) / args.images], 'us'))
        for name in args.executors:
            rows += measured(name, source, folder, args)
    show(result('executors', rows, {}), args.out)
