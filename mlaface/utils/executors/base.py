"""What an executor is: it says where the pieces of a job run, and nothing else."""


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
