"""Name the faces in photographs by a gallery."""
import sys

from mlaface.cli.identify import main

if __name__ == '__main__':
    sys.exit(main())
