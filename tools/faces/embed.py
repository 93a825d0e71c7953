"""Embed the faces of photographs, or aligned faces."""
import sys

from mlaface.cli.embed import main

if __name__ == '__main__':
    sys.exit(main())
