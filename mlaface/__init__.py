"""mlaface: face recognition as a config, on MMEngine.

Importing the package imports no torch: rooms load when their registry is first asked.
"""
from mlaface.version import __version__

__all__ = ['__version__']
