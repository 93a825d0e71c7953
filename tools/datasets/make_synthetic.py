"""Draw the built-in faces: training set and three benchmarks, in the layouts of real data."""
from mlaface.cli.make_synthetic import main

if __name__ == '__main__':
    main()
