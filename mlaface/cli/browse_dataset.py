"""A picture of training images, as they are and as they are augmented: exactly what a run with this seed sees.

Examples:
  python tools/analysis/browse_dataset.py configs/arcface_r18w025_faces_small.py --out epochs.png
  python tools/analysis/browse_dataset.py configs/recipes/augmented_r18w025_synthetic.py --drawn --each
  python tools/analysis/browse_dataset.py CONFIG --cfg-options train_dataloader.dataset.transforms.0.prob=1
"""
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.cfg_options import add_cfg_options
from mlaface.cli.parts.errors import explained


def parse(arguments=None):
    """Parse the command line."""
    parser = command('browse-dataset', __doc__)
    parser.add_argument('config', help='config file, of whose training set the images are')
    parser.add_argument('--out', default='augmentations.png', metavar='PNG', help='(default: %(default)s)')
    parser.add_argument('--images', type=int, default=8, help='columns: images, evenly over the set (%(default)s)')
    parser.add_argument('--epochs', type=int, default=6, help='rows: the first epochs of a run (%(default)s)')
    parser.add_argument('--each', action='store_true', help='a row for each transform alone, on every image, instead')
    parser.add_argument('--drawn', action='store_true', help='use drawn faces in place of the training set')
    parser.add_argument('--seed', type=int, default=0, help='(%(default)s)')
    add_cfg_options(parser)
    return parser.parse_args(arguments)


def main(argv=None):
    """Make the picture that the arguments ask for; ``argv`` (list[str]) is by default the process's."""
    options = parse(argv)
    with explained():
        show(options)


def show(options):
    """Open the data, write the picture, say where."""
    from mlaface.datasets.browse import DrawnFaces, by_epochs, by_transforms, write_sheet
    from mlaface.engine.config import load_config
    from mlaface.engine.data import build_dataset
    from mlaface.engine.errors import ConfigError
    if options.images < 1 or options.epochs < 0:
        raise ConfigError(f'--images {options.images} --epochs {options.epochs}: at least 1 and 0')
    config = load_config(options.config, options.cfg_options)
    cfg = (config.get('train_dataloader') or {}).get('dataset')
    if cfg is None:
        raise ConfigError(f'{options.config} has no train_dataloader.dataset: there are no training images')
    if options.drawn:
        dataset = DrawnFaces(options.images, cfg.get('transforms', ()), options.seed)
    else:
        dataset = build_dataset(cfg, 'train_dataloader.dataset', options.seed)
    count = min(options.images, len(dataset))
    indices = [number * len(dataset) // count for number in range(count)]
    rows = by_transforms(dataset, indices) if options.each else by_epochs(dataset, indices, options.epochs)
    write_sheet(options.out, rows)
    print(f'{options.out}: {count} images, {", ".join(title for title, _ in rows)}')
