"""``mlaface data verify`` by its older name."""
from mlaface.cli.data_commands.verify import main

__all__ = ['main']
