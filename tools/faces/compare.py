"""Compare the faces of two photographs."""
import sys

from mlaface.cli.compare import main

if __name__ == '__main__':
    sys.exit(main())
