"""Cut aligned faces out of photographs, as training and networks want them."""
import sys

from mlaface.cli.align import main

if __name__ == '__main__':
    sys.exit(main())
