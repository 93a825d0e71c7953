"""Make the training runs of a plan that are missing, and report what they say together."""
from mlaface.cli.study import main

if __name__ == '__main__':
    main()
