"""Class centres as one file, onto other identities, and what sub-centers say of the images."""
import argparse
import csv
from pathlib import Path

from mlaface.engine.checkpoint.row_manifest import read_classes
from mlaface.engine.checkpoint.rows import CurrentRows
from mlaface.export.centers import Centers, ImportedRows, class_means, export_centers
from mlaface.utils.files import atomic_path, load_tensors


def _parser():
    parser = argparse.ArgumentParser(prog='centers.py', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    export = commands.add_parser('export', help='the head of a checkpoint as one safetensors file')
    export.add_argument('rows', help='folder of rows beside the checkpoint: work_dirs/RUN/iter_00001000.rows')
    export.add_argument('--out', required=True, help='the .safetensors file')
    export.add_argument('--parameter', default='head.weight', help='name of the parameter (default head.weight)')
    export.add_argument('--classes', help='text file of identity names, if the folder has none')
    carry = commands.add_parser('import', help='centres for other identities, matched by name')
    carry.add_argument('centers', help='what export wrote')
    carry.add_argument('--classes', required=True, help='text file: the new identities, one a line, in label order')
    carry.add_argument('--out', required=True, help='the new .safetensors file, for InitCentersHook')
    carry.add_argument('--means', help='what embed wrote for the new data: new identities begin at their class means')
    carry.add_argument('--seed', type=int, default=0, help='of the identities that begin at random (default 0)')
    embed = commands.add_parser('embed', help="embeddings (N, D) and labels (N,) of a config's training data")
    embed.add_argument('config', help='config whose training data is read, without its transforms')
    embed.add_argument('checkpoint', help='the network: a .pth file')
    embed.add_argument('--out', required=True, help='the .pth file')
    embed.add_argument('--batch-size', type=int, default=64, help='images of a forward pass (default 64)')
    embed.add_argument('--workers', type=int, default=0, help='processes that read images (default 0: this one)')
    embed.add_argument('--device', default='cpu', help='where the network runs (default cpu)')
    outliers = commands.add_parser('outliers', help='images that a sub-center head takes for noise, as a list')
    outliers.add_argument('centers', help='what export wrote of a head with SubCenterArcFace')
    outliers.add_argument('--embeddings', required=True, help='what embed wrote for the data it was trained on')
    outliers.add_argument('--out', required=True, help='.csv file: index, identity, center, dominant, angle')
    outliers.add_argument('--max-angle', type=float, default=75.0,
                          help='degrees to the dominant centre beyond which an image is noise (default 75)')
    return parser


def _read_names(path):
    return Path(path).read_text(encoding='utf-8').splitlines()


def _export(args):
    rows = CurrentRows(args.rows, args.parameter)
    classes = _read_names(args.classes) if args.classes else read_classes(args.rows)
    if classes is None:
        raise ValueError(f'{args.rows} holds no identity names: give them with --classes FILE')
    export_centers(args.out, rows, classes, rows.per_class)
    print(f'{args.out}: {len(classes):,} identities, {rows.shape[0]:,} x {rows.shape[1]} {rows.dtype}')


def _import(args):
    classes, means = _read_names(args.classes), None
    if args.means:
        means = class_means(*_read_embeddings(args.means), classes)
    rows = ImportedRows(Centers(args.centers), classes, means, args.seed)
    export_centers(args.out, rows, classes, rows.per_class)
    print(f'{args.out}:\n{rows.report()}')


def _read_embeddings(path):
    data = load_tensors(path)
    if not isinstance(data, dict) or not {'embeddings', 'labels'} <= set(data):
        raise ValueError(f'{path} needs embeddings (N, D) and labels (N,): write it with `centers.py embed`')
    return data['embeddings'], data['labels']


def _embed(args):
    import torch
    from rich.progress import track
    from torch.utils.data import DataLoader

    from mlaface.apis.model import init_model
    from mlaface.datasets.collate import collate_images
    from mlaface.engine.config import load_config
    from mlaface.engine.data import build_dataset
    cfg = load_config(args.config).train_dataloader.dataset.to_dict()
    dataset = build_dataset({key: value for key, value in cfg.items() if key != 'transforms'},
                            'train_dataloader.dataset')
    model = init_model(args.checkpoint, device=args.device)
    loader = DataLoader(dataset, args.batch_size, collate_fn=collate_images, num_workers=args.workers)
    batches = [(model.extract(batch['images'].to(args.device)).cpu(), batch['labels'])
               for batch in track(loader, 'embedding')]
    embeddings, labels = (torch.cat(parts) for parts in zip(*batches))
    with atomic_path(args.out) as path:
        torch.save(dict(embeddings=embeddings, labels=labels), path)
    print(f'{args.out}: {len(labels):,} embeddings of {embeddings.shape[1]}')


def _outliers(args):
    from mlaface.models.heads.subcenters import find_outliers
    centers, (embeddings, labels) = Centers(args.centers), _read_embeddings(args.embeddings)
    if centers.per_class < 2:
        raise ValueError(f'{args.centers} holds one centre an identity: only a head with SubCenterArcFace has more')
    report = find_outliers(embeddings, labels, centers[:].float(), centers.per_class, args.max_angle)
    found = report.outlier.nonzero()[:, 0].tolist()
    with atomic_path(args.out) as path, open(path, 'w', newline='', encoding='utf-8') as stream:
        table = csv.writer(stream)
        table.writerow(['index', 'identity', 'center', 'dominant', 'angle'])
        for index in found:
            label = int(labels[index])
            table.writerow([index, centers.names[label], int(report.center[index]), int(report.dominant[label]),
                            f'{report.angle[index]:.2f}'])
    print(f'{args.out}: {len(found):,} of {len(labels):,} images are nearer to another than the dominant centre of '
          f'their identity, and more than {args.max_angle:g} degrees from that one')


COMMANDS = {'export': _export, 'import': _import, 'embed': _embed, 'outliers': _outliers}


def main(argv=None):
    """Run the command line.

    Args:
        argv (list[str] | None): Arguments.

    Returns:
        int: 0, or 1 with a message when something is wrong with a file.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        COMMANDS[args.command](args)
    except (OSError, ValueError) as error:
        parser.exit(1, f'error: {error}\n')
    return 0
