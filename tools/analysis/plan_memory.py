"""What a training step needs on each rank, before it is run: see ``plan_memory.py --help``."""
import sys

from mlaface.cli.plan_memory import main

if __name__ == '__main__':
    sys.exit(main())
