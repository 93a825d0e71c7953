"""Look after a gallery of people: list, verify, rename, delete, import, export, compact."""
import sys

from mlaface.cli.gallery import main

if __name__ == '__main__':
    sys.exit(main())
