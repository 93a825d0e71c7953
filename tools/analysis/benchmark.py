"""Speed and memory, as ratios measured in one run."""
from mlaface.cli.benchmark import main

if __name__ == '__main__':
    main()
