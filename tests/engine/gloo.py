"""Run a function in several gloo processes, for tests."""
import os
import time
import traceback

import torch
import torch.multiprocessing as mp

from mlaface.engine.distributed import join_ranks, leave_ranks
from mlaface.engine.hooks import results

LIMIT = 60  # seconds


def _child(rank, world, function, folder, arguments):
    torch.set_num_threads(1)
    results.draw_curves = lambda *_, **__: None  # as _no_curves of conftest.py, which is of the test's own process
    join_ranks('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=world)
    try:
        torch.save(function(rank, world, *arguments), folder / f'result{rank}')
    except BaseException:
        (folder / f'error{rank}').write_text(traceback.format_exc())
        os._exit(1)
    leave_ranks()


def run_ranks(function, world, folder, *arguments):
    """Results of ``function(rank, world, *arguments)`` by rank; an error on a rank is raised with its text.

    Args:
        function (Callable): Module-level, so that a spawned process finds it.
        world (int): Processes.
        folder (Path): Empty folder for the rendezvous and the results.
        arguments: Picklable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = mp.get_context('forkserver')  # this process has threads by now, and a fork of it may wait for one forever
    context.set_forkserver_preload(['pytest', 'tests.engine.preloaded', __name__])
    end = time.monotonic() + LIMIT
    processes = [context.Process(target=_child, args=(r, world, function, folder, arguments)) for r in range(world)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(max(0, end - time.monotonic()))
    late = [rank for rank, process in enumerate(processes) if process.is_alive()]
    for rank in late:
        processes[rank].kill()
    errors = [path.read_text() for path in sorted(folder.glob('error*'))]
    assert not errors, '\n'.join(errors)
    assert not late, f'ranks {late} did not end within {LIMIT} seconds'
    return [torch.load(folder / f'result{r}', weights_only=True) for r in range(world)]
