"""Read every record of a .rec file, follow its index, and say where they are damaged; exit status 1 if they are."""
from mlaface.cli.verify_records import main

if __name__ == '__main__':
    main()
