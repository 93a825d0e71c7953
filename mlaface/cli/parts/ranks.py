"""Start the ranks of a run on this machine: torchrun, whose report of a failure is one line.

``python -m mlaface.cli.parts.ranks`` takes torchrun's arguments; ``tools/launch.sh`` calls it.
"""
import logging
import sys
from importlib import import_module

from mlaface.utils.packages import is_installed

# Of the engine's imports. When it is imported for the first time it writes its grammar into the user's cache, not whole
# at once: ranks that read it meanwhile would end.
WRITES_CACHE = 'yapf'


def main(arguments=None):
    """Run the ranks to their end; the exit status is that of the first rank that failed.

    Args:
        arguments (list[str], optional): As torchrun takes them; None takes the process's.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    if is_installed(WRITES_CACHE):  # it comes with the engine
        import_module(WRITES_CACHE)
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    try:
        run.main(arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        end = f'signal {failure.signal_name()}' if failure.exitcode < 0 else f'exit status {failure.exitcode}'
        print(f'rank {rank} ended with {end}, and with it the run; its message stands above', file=sys.stderr)
        sys.exit(failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode)
    except SignalException as stop:
        sys.exit(128 + int(stop.sigval))


if __name__ == '__main__':
    main()
