"""Where a command that was killed goes on: it says so, and looks at a set keep their steps until it is done."""
import sys
from contextlib import contextmanager


@contextmanager
def steps_of(path):
    """Steps of the looks at a set, kept until the command is done; of one that ends before, for the next call.

    Args:
        path (str): The set.

    Yields:
        callable: Of a look (str), what tells the set (callable, gives str), the total (int), its unit (str), and the
        options that change what is found; gives a ``KeptSteps``, of one look the same one, or None where nothing can
        tell the set.
    """
    from mlaface.datasets.prepare.kept_steps import KeptSteps, tools
    opened = {}

    def say(line):
        print(f'{path}: {line}', file=sys.stderr)

    def keep(look, identity, total, unit, **options):
        if look not in opened:
            try:
                bound = {'the set': identity(), 'the options': options, 'mlaface': tools()}
            except OSError as error:  # such as a folder that may not be read, which the look itself names
                say(f'after a kill it would begin anew, since its files cannot be told: {error}')
                return None
            opened[look] = KeptSteps(path, look, bound, total, unit, say)
        return opened[look]
    try:
        yield keep
    except BaseException:
        for kept in opened.values():
            kept.close()
        raise
    for kept in opened.values():
        kept.remove()


def resumed(name, total, advance):
    """What is told how many images are done, and says first where it goes on behind an earlier call.

    Args:
        name (str): Of the set.
        total (int): Images.
        advance (callable): Told the same; its first call tells what earlier calls have done.

    Returns:
        callable: In its place.
    """
    begun = False

    def tell(count):
        nonlocal begun
        if not begun and 0 < count < total:
            print(f'{name}: goes on at {count} of {total} images', file=sys.stderr)
        begun = True
        advance(count)
    return tell
