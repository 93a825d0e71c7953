"""What a network costs, by its parts: see ``flops.py --help``."""
from mlaface.cli.flops import main

if __name__ == '__main__':
    main()
