"""What a training says before it holds its work directory: kept back from the log, which may be another training's."""
import logging


class _Withheld(logging.Handler):
    """Keeps the records for another handler.

    Args:
        target (Handler): The other one.
    """

    def __init__(self, target):
        super().__init__(target.level)
        self.target, self.records = target, []

    def emit(self, record):
        self.records.append(record)


def withhold(logger):
    """Let nothing more come to the log file of a logger (Logger) until it is released."""
    logger.handlers[:] = [_Withheld(each) if isinstance(each, logging.FileHandler) else each
                          for each in logger.handlers]


def release(logger):
    """Write what was withheld to the log file of a logger (Logger), and from now on what comes."""
    withheld = [each for each in logger.handlers if isinstance(each, _Withheld)]
    logger.handlers[:] = [each.target if each in withheld else each for each in logger.handlers]
    for each in withheld:
        for record in each.records:
            each.target.handle(record)
