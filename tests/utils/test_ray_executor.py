"""A real Ray cluster of two nodes on loopback: the bytes of one process, also when a node is killed in the middle."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlaface.utils.errors import InputError, MissingPackageError
from mlaface.utils.executors.ray import RayExecutor
from tests.utils.test_executors import WHOLE, job_in, whole

ROOT = Path(__file__).resolve().parents[2]
QUICK = dict(health_check_initial_delay_ms=5000, health_check_period_ms=1000, health_check_failure_threshold=5)


def test_without_ray_the_remedy_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(MissingPackageError, match=r"--executor ray needs ray, .* pip install 'mlaface\[ray\]'"):
        job_in(tmp_path).run(RayExecutor())


def patient(begin, attempts=5):
    """What a function gives that fails where the machine is so busy that Ray's agents miss their 15 seconds."""
    for number in range(attempts):
        try:
            return begin()
        except Exception as error:
            if 'timed out' not in str(error) or number == attempts - 1:
                raise


@pytest.fixture(scope='module')
def head():
    """A cluster of one node of one core."""
    ray = pytest.importorskip('ray')
    from ray.cluster_utils import Cluster
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RAY_USAGE_STATS_ENABLED', '0')
        patch.setenv('PYTHONPATH', str(ROOT))
        found = patient(lambda: Cluster(initialize_head=True, head_node_args=dict(
            num_cpus=1, include_dashboard=False, _system_config=QUICK)))
        yield found
        ray.shutdown()
        found.shutdown()


@pytest.fixture
def cluster(head):
    """The cluster with a second node, at an address of its own, so that no driver is on it."""
    head.second = patient(lambda: head.add_node(num_cpus=1, node_ip_address='127.0.0.2'))
    yield head
    sys.modules['ray'].shutdown()
    if head.second in head.worker_nodes:
        head.remove_node(head.second)


@pytest.mark.slow
def test_no_cluster_is_said_in_a_line(tmp_path):
    pytest.importorskip('ray')
    with pytest.raises(InputError, match='no cluster at 127.0.0.1:1 .*ray start --head'):
        job_in(tmp_path).run(RayExecutor('127.0.0.1:1'))


@pytest.mark.slow
def test_a_node_that_is_killed_in_the_middle(cluster, tmp_path):
    log, killed = tmp_path / 'log', []
    job = job_in(tmp_path / 'job', log=str(log), wait=1.0)

    def advance(count):
        if count and not killed:
            killed.append(time.monotonic())
            cluster.remove_node(cluster.second, allow_graceful=False)
    job.run(RayExecutor(cluster.address), advance)
    lines = log.read_text().split('\n')
    assert killed and whole(job) == WHOLE
    assert len({line.split()[-1] for line in lines if line.startswith('open')}) >= 2, lines  # both nodes were at it


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize('name', ['tar', 'embed', 'clean', 'leak'])
def test_commands_on_two_nodes_of_which_one_is_killed(cluster, tmp_path, name):
    from tests.cli.test_executor_commands import LEFT_OUT, arguments, made
    place, status = tmp_path / 'place', LEFT_OUT.get(name, 0)
    prepare(place)

    def call(out, *options):
        return subprocess.Popen([sys.executable, '-m', 'mlaface.cli.main', *arguments(place, name, tmp_path / out),
                                 '--piece-size', '32', *options], cwd=ROOT,
                                env={**os.environ, 'MLAFACE_CACHE': str(tmp_path / f'cache-{out}')})
    assert call('plain').wait() == status
    child = call('out', '--executor', 'ray', '--executor-options', f'address={cluster.address}')
    while child.poll() is None and not list(tmp_path.glob('out*/**/*0*.json')):  # until a piece is done
        time.sleep(0.02)
    during = child.poll() is None
    job = next(iter(tmp_path.glob('out*/**/job.json')))
    done, pieces = len(list(job.parent.glob('0*.json'))), len(json.loads(job.read_bytes())['pieces'])
    cluster.remove_node(cluster.second, allow_graceful=False)
    assert during and child.wait() == status
    assert made(tmp_path / 'out') == made(tmp_path / 'plain')
    assert sorted(path.name.partition('.')[0] for path in tmp_path.glob('out*')) == ['out']
    print(f'\n{name}: a node was killed when {done} of {pieces} pieces of a job were there; the bytes are those of one '
          'process')


def prepare(place):
    """The set, benchmark, model and list that commands of ``test_executor_commands`` take."""
    from mlaface.datasets.formats.bin_set import write_bin
    from tests.utils import pieced
    place.mkdir()
    pieced.photographs(place / 'set')
    pieced.model(place / 'm.onnx')
    write_bin(place / 'b.bin', [(place / 'set' / f'p{k:02}' / f'{n}.jpg').read_bytes() for k, n in (
        (2, 2), (2, 3), (8, 4), (9, 5))], [True, False])
    (place / 'list').write_text('p01/3.jpg\n')


@pytest.mark.slow
def test_pieces_of_a_command_that_is_killed_end(cluster, tmp_path):
    log = tmp_path / 'log'
    code = (f'from tests.utils.test_executors import *\nfrom mlaface.utils.executors.ray import RayExecutor\n'
            f'job_in({str(tmp_path / "job")!r}, log={str(log)!r}, wait=600).run(RayExecutor({cluster.address!r}))')
    parent = subprocess.Popen([sys.executable, '-c', code], cwd=ROOT)
    while not log.is_file() or not log.read_text().endswith('\n'):
        time.sleep(0.1)
    worker = int(log.read_text().split()[1])
    parent.kill()
    parent.wait()
    begun = time.monotonic()
    while Path(f'/proc/{worker}').exists() and 'Z' not in Path(f'/proc/{worker}/stat').read_text().split()[2]:
        assert time.monotonic() < begun + 120, 'the piece goes on'
        time.sleep(0.1)
