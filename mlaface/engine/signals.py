"""Ctrl-C and SIGTERM as a wish to stop after the current iteration."""
import contextlib
import signal
import threading

import torch
from torch import distributed

CHECK_EVERY = 10


class StopSignal:
    """Remembers the first signal; a second one does what it would have done without us.

    Ranks receive a signal at different moments, so they agree on it every ``CHECK_EVERY`` iterations: all stop after
    the same one.
    """

    def __init__(self):
        self.number = 0

    def _notice(self, number, frame):
        self.number = number
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)

    @contextlib.contextmanager
    def listening(self):
        """Catch SIGINT and SIGTERM within the block; outside the main thread this does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        old = {number: signal.signal(number, self._notice) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def agreed(self, iteration, device='cpu'):
        """The signal that all ranks stop for after this iteration, or 0.

        Args:
            iteration (int): Updates done; the same on all ranks.
            device (str): Where the backend communicates.
        """
        if not (distributed.is_available() and distributed.is_initialized()):
            return self.number
        if iteration % CHECK_EVERY:
            return 0
        number = torch.tensor(self.number, device=device)
        distributed.all_reduce(number, op=distributed.ReduceOp.MAX)
        return int(number)
