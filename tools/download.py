"""Fetch models by name, checked by their hashes."""
from mlaface.cli.download import main

if __name__ == '__main__':
    main()
