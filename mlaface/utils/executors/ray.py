"""Pieces on a Ray cluster: those of a node that dies are made on another."""
import socket

from mlaface.registry import EXECUTORS
from mlaface.utils.errors import InputError
from mlaface.utils.executors.base import Executor, checked_number
from mlaface.utils.executors.job import Fault
from mlaface.utils.executors.worker import run_piece
from mlaface.utils.packages import import_optional

AHEAD = 4  # pieces a core that Ray is told of at a time
SECONDS = 10  # until a head answers


@EXECUTORS.register_module('ray')
class RayExecutor(Executor):
    """Tasks of a Ray cluster that runs already; the command is given on one of its nodes.

    Args:
        address (str): ``HOST:PORT`` of the cluster's head; ``'auto'``: of the cluster on this machine.
        cpus (float): Cores of a piece, at least 0.1; its threads too.
        gpus (float): GPUs of a piece; Ray shows it those only.
        retries (int): How often a piece is begun again whose node or process died. Default 3.
    """

    def __init__(self, address='auto', cpus=1, gpus=0, retries=3):
        self.address = str(address)
        self.cpus = checked_number('ray', 'cpus', cpus, 0.1, whole=False)
        self.gpus = checked_number('ray', 'gpus', gpus, 0, whole=False)
        self.retries = checked_number('ray', 'retries', retries, 0)

    def run(self, job, numbers):
        """See the base class."""
        ray = import_optional('ray', '--executor ray')
        if not ray.is_initialized():  # the next job finds Ray's processes with their libraries imported
            self._connect(ray)
        task = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.retries)(run_piece)
        most = max(8, int(AHEAD * ray.cluster_resources().get('CPU', 1) / self.cpus))
        waiting, rest = {}, iter(numbers)
        try:
            while True:
                while len(waiting) < most and (number := next(rest, None)) is not None:
                    waiting[task.remote(str(job.folder), job.fingerprint, number)] = number
                if not waiting:
                    return
                for done in ray.wait(list(waiting))[0]:
                    number = waiting.pop(done)
                    yield number, self._outcome(ray, done, number, job)
        finally:
            for left in waiting:
                ray.cancel(left, force=True)

    def _connect(self, ray):
        host, _, port = self.address.rpartition(':')
        try:
            if port.isdecimal():  # Ray itself tries for minutes
                socket.create_connection((host, int(port)), SECONDS).close()
            ray.init(address=self.address, logging_level='ERROR', log_to_driver=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(f'--executor ray: no cluster at {self.address} ({str(error).splitlines()[0]}). Begin one '
                             'with: ray start --head --port 6379, on other nodes: ray start --address HOST:6379; then '
                             '--executor-options address=HOST:6379') from error

    def _outcome(self, ray, reference, number, job):
        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ImportError):
                return Fault(False, f'a node of the cluster cannot import what piece {number} needs ({error.cause}): '
                                    'install the same mlaface, with the same extras, on all nodes')
            raise  # a mistake of the code, with its traceback
        except ray.exceptions.RayError as error:
            return Fault(False, f'piece {number} in {job.folder} was begun {self.retries + 1} times, and node or '
                                f'process died each time ({str(error).splitlines()[0]}); the same command goes on')
