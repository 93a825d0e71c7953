"""Cosine thresholds for target false accept rates: ``calibrate.py INPUT --far 1e-2 1e-3 --out thresholds.json``."""
import sys

from mlaface.cli.calibrate import main

if __name__ == '__main__':
    sys.exit(main())
