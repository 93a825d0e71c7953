"""Keep faces of people in a gallery."""
import sys

from mlaface.cli.enroll import main

if __name__ == '__main__':
    sys.exit(main())
