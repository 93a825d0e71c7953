"""``mlaface data inspect`` by its older name."""
from mlaface.cli.data_commands.inspect import main

__all__ = ['main']
