"""Class centres as one file, and onto other identities: see ``centers.py --help``."""
import sys

from mlaface.cli.centers import main

if __name__ == '__main__':
    sys.exit(main())
