"""Write a checkpoint in a format for others to run, checked against torch before it is written."""
from mlaface.cli.export import main

if __name__ == '__main__':
    main()
