"""Where a network looks: see ``attention.py --help``."""
from mlaface.cli.attention import main

if __name__ == '__main__':
    main()
