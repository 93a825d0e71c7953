"""Group the faces of a folder by person."""
import sys

from mlaface.cli.cluster import main

if __name__ == '__main__':
    sys.exit(main())
