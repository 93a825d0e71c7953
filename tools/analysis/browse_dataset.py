"""A picture of training images and their augmentations: see ``browse_dataset.py --help``."""
from mlaface.cli.browse_dataset import main

if __name__ == '__main__':
    main()
