"""Count what is in a data set, decode every image, and show the first faults; exit status 1 if there are any."""
from mlaface.cli.inspect_set import main

if __name__ == '__main__':
    main()
