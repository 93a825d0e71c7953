"""What an executor is: it says where the pieces of a job run, and nothing else."""
import math

from mlaface.utils.errors import InputError


def checked_number(executor, option, value, least=1, whole=True):
    """The number that an option of an executor is given.

    Args:
        executor (str): Registered name of the executor, for the message.
        option (str): Name of the option.
        value: What it was given.
        least (float): The smallest that it takes. Default 1.
        whole (bool): Whether it takes whole numbers alone. Default True.

    Returns:
        int | float: ``value``.

    Raises:
        InputError: If it is no such number.
    """
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < math.inf:
        raise InputError(f'executor {executor}: {option}={value}: write a {"whole " if whole else ""}number of at '
                         f'least {least}')
    return value


class Executor:
    """Where pieces run; one of your own is a class of this kind, registered in ``EXECUTORS``.

    Its arguments are what ``--executor-options`` can name.
    """

    def run(self, job, numbers):
        """Have pieces made: ``worker.run_piece(job.folder, job.fingerprint, number)`` for each, on any node.

        A piece may run more than once, also at one time: its bytes are the same, and it appears whole. When the
        generator is closed nothing of it may run any longer, as far as that can be had.

        Args:
            job (Job): What they are of; its folder is seen by all nodes.
            numbers (list[int]): The pieces.

        Yields:
            tuple[int, Fault | None]: The number of a piece that has ended, in any order, and what went wrong.

        Raises:
            UserError: If there is no such place, or it refuses.
        """
        raise NotImplementedError
