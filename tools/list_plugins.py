"""List what is registered: name, signature, first line of the description."""
from mlaface.cli.list_plugins import main

if __name__ == '__main__':
    main()
