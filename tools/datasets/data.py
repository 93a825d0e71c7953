"""Data sets: prepare, look, clean."""
from mlaface.cli.data import main

if __name__ == '__main__':
    main()
