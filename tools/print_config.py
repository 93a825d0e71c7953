"""Print a config with all it inherits, as it would be used."""
from mlaface.cli.print_config import main

if __name__ == '__main__':
    main()
