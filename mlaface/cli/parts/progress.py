"""Progress bars of the commands: on stderr, where that is a terminal."""
import sys
from contextlib import contextmanager


@contextmanager
def bars(hidden=False):
    """Bars, one below the other, which go when all is done.

    Args:
        hidden (bool): Show none.

    Yields:
        callable: Of what is done (str) and how many there are (int, None where that is not known yet): a ``Bar``.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    with Progress('{task.description}', BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True,
                  console=Console(stderr=True), disable=hidden or not sys.stderr.isatty()) as progress:
        yield lambda what, total: Bar(progress, progress.add_task(what, total=total))


class Bar:
    """One bar.

    Args:
        progress (rich.progress.Progress), task (int): Where it is.
    """

    def __init__(self, progress, task):
        self._progress, self._task = progress, task

    def __call__(self, count):
        """So many (int) are done besides."""
        self._progress.advance(self._task, count)

    def reach(self, place):
        """So many (int) are done in all."""
        self._progress.update(self._task, completed=place)


@contextmanager
def bar(what, total, hidden=False):
    """A single ``Bar``."""
    with bars(hidden) as begin:
        yield begin(what, total)


def tracked(items, what, total=None):
    """The items, with a bar that counts them."""
    with bar(what, total if total is not None or not hasattr(items, '__len__') else len(items)) as shown:
        for item in items:
            yield item
            shown(1)
