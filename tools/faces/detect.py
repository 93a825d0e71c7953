"""Find the faces of photographs: boxes, points, scores."""
import sys

from mlaface.cli.detect import main

if __name__ == '__main__':
    sys.exit(main())
