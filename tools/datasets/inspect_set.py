"""Count images and classes of a training set, decode every image, and show the first faults; status 1 if there are."""
import argparse
from pathlib import Path

import numpy as np


def faults_of(dataset):
    """Yield what is wrong with each image that cannot be used (str)."""
    from mlaface.datasets.formats.errors import FormatError
    for index in range(len(dataset)):
        try:
            dataset[index]
        except FormatError as error:
            yield str(error)


def main():
    """Open the set as training does, and read all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data_root', help='folder with train.rec, a .rec file, or a folder of identities')
    parser.add_argument('--first', type=int, default=10, help='faults to show (default: %(default)s)')
    args = parser.parse_args()
    from mlaface.registry import DATASETS
    root = Path(args.data_root).absolute()
    kind = 'RecordFaces' if root.suffix == '.rec' or (root / 'train.rec').exists() else 'FolderFaces'
    dataset = DATASETS.build(dict(type=kind, data_root=str(root)))
    counts = np.bincount(dataset.labels, minlength=dataset.num_classes)
    print(f'{root}: {len(dataset)} images, {dataset.num_classes} classes, {counts.min()} to {counts.max()} each, '
          f'{(counts == 0).sum()} empty')
    faults = list(faults_of(dataset))
    print(f'{len(faults)} images cannot be used')
    print('\n'.join(faults[:args.first]), end='\n' if faults else '')
    raise SystemExit(1 if faults else 0)


if __name__ == '__main__':
    main()
