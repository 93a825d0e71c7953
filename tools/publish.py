"""Write a checkpoint as one file to pass on, with its card."""
from mlaface.cli.publish import main

if __name__ == '__main__':
    main()
