"""Pieces on a Dask cluster, for the comparison alone.

Its scheduler gives the tasks of a worker that died to another, as Ray does (Rocklin, SciPy 2015).
"""
from mlaface.registry import EXECUTORS
from mlaface.utils.errors import InputError
from mlaface.utils.executors.base import Executor
from mlaface.utils.executors.worker import run_piece


@EXECUTORS.register_module('dask')
class DaskExecutor(Executor):
    """Workers of a Dask scheduler that runs already.

    Args:
        address (str): ``HOST:PORT`` of the scheduler.
    """

    def __init__(self, address):
        self.address = address

    def run(self, job, numbers):
        """See the base class."""
        from distributed import Client, as_completed
        try:
            client = Client(self.address, timeout=10)
        except OSError as error:
            raise InputError(f'--executor dask: no scheduler at {self.address}') from error
        with client:
            waiting = {client.submit(run_piece, str(job.folder), job.fingerprint, number, pure=False): number
                       for number in numbers}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
