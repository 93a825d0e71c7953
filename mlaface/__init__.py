"""mlaface: face recognition as a config, on MMEngine.

Importing the package imports no torch: rooms load when their registry is first asked. It also sees to it that packages
of others send nothing to their makers (``mlaface/utils/quiet.py``).
"""
from mlaface.utils.quiet import hush
from mlaface.version import __version__

__all__ = ['__version__']
hush()
