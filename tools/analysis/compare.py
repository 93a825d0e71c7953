"""Compare training runs: curves, iterations to given accuracies with the spread over seeds, final numbers."""
from mlaface.cli.compare_runs import main

if __name__ == '__main__':
    main()
