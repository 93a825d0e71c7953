"""Train what a config describes."""
from mlaface.cli.train import main

if __name__ == '__main__':
    main()
