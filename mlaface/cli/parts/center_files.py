"""The work of ``tools/converters/centers.py``: files of centres, of embeddings, and lists of noise."""
import csv

from mlaface.cli.parts.device import choose_device
from mlaface.engine.checkpoint.row_manifest import read_classes
from mlaface.engine.checkpoint.rows import CurrentRows
from mlaface.export.centers import Centers, ImportedRows, class_means, export_centers
from mlaface.utils.files import atomic_path, load_tensors
from mlaface.utils.imports import import_modules
from mlaface.utils.names import read_names


def _export(args):
    import_modules(args.imports)  # the optimizer may be a plugin, and knows how rows are brought up to date
    rows = CurrentRows(args.rows, args.parameter)
    classes = read_names(args.classes) if args.classes else read_classes(args.rows)
    if classes is None:
        raise ValueError(f'{args.rows} holds no identity names: give them with --classes FILE')
    export_centers(args.out, rows, classes, rows.per_class)
    print(f'{args.out}: {len(classes):,} identities, {rows.shape[0]:,} x {rows.shape[1]} {rows.dtype}')


def _import(args):
    classes, means = read_names(args.classes), None
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

    from mlaface.apis.model import init_model
    from mlaface.cli.parts.progress import tracked
    from mlaface.engine.config import load_config
    from mlaface.engine.data import build_dataloader, build_dataset
    cfg = load_config(args.config).train_dataloader.dataset.to_dict()
    dataset = build_dataset({key: value for key, value in cfg.items() if key != 'transforms'},
                            'train_dataloader.dataset')
    model = init_model(args.checkpoint, args.network, choose_device(args.device), imports=args.imports)
    loader = build_dataloader(dict(dataset=dataset, batch_size=args.batch_size, num_workers=args.workers,
                                   sampler=dict(type='SequentialSampler')), seed=0)
    batches = [(model.extract(batch['images'].to(args.device)).cpu(), batch['labels'])
               for batch in tracked(loader, 'embedding')]
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
