"""Serve faces over HTTP: detect, embed, compare, enrol, identify, and a page."""
import sys

from mlaface.cli.serve import main

if __name__ == '__main__':
    sys.exit(main())
