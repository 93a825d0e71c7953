"""List the models that can be opened by name."""
from mlaface.cli.models import main

if __name__ == '__main__':
    main()
