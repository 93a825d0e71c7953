"""The numbers of a run by iteration: in memory, in ``scalars.jsonl``, and in checkpoints as plain lists."""
import json
import math
from pathlib import Path

from mlaface.utils.files import atomic_path


class History:
    """Scalars by name, each a list of iterations and a list of values.

    Args:
        path (str | Path, optional): A JSON lines file that every addition is appended to.
    """

    def __init__(self, path=None):
        self.path = Path(path) if path else None
        self.scalars = {}

    def add(self, iteration, values, kind='train'):
        """Note values at an iteration.

        Args:
            iteration (int): Updates done so far.
            values (dict[str, float]): The values; one that is not finite becomes null in the file.
            kind (str): 'train' or 'val'; part of the names, ``train/loss``.
        """
        for name, value in values.items():
            steps, series = self.scalars.setdefault(f'{kind}/{name}', ([], []))
            steps.append(iteration)
            series.append(value)
        if self.path:
            line = {name: value if math.isfinite(value) else None for name, value in values.items()}
            with open(self.path, 'a') as file:
                file.write(json.dumps(dict(kind=kind, iter=iteration, **line)) + '\n')

    def state_dict(self):
        """``{name: [iterations, values]}`` of plain lists."""
        return {name: [list(steps), list(values)] for name, (steps, values) in self.scalars.items()}

    def load_state_dict(self, state, iteration, now=None):
        """Restore ``state_dict()``, and drop from the file what a longer, interrupted run wrote after ``iteration``.

        Args:
            state (dict): What ``state_dict`` gave.
            iteration (int): Where it was taken.
            now (int, optional): What that place is numbered in a run whose updates are of more images, or fewer: the
                numbers before it are moved in proportion. Default: as it was.
        """
        now = iteration if now is None else now
        self.scalars = {name: ([_moved(step, iteration, now) for step in steps], list(values))
                        for name, (steps, values) in state.items()}
        if self.path and self.path.exists():
            with atomic_path(self.path) as temporary:
                temporary.write_text(''.join(self._lines_until(iteration, now)))

    def _lines_until(self, iteration, now):
        for line in self.path.read_text(errors='replace').splitlines():
            try:
                content = json.loads(line)
                if content['iter'] <= iteration:
                    yield json.dumps({**content, 'iter': _moved(content['iter'], iteration, now)}) + '\n'
            except (ValueError, KeyError, TypeError):  # the last line of a killed run may be torn
                continue


def _moved(step, iteration, now):
    return step if now == iteration else round(step * now / iteration)
