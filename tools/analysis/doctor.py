"""Find what ails a network: its images, their alignment, or the file itself."""
import sys

from mlaface.cli.doctor import main

if __name__ == '__main__':
    sys.exit(main())
