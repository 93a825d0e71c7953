"""What fine-tuning brings: 40 people with five pictures each, whom the network has never seen (docs/finetuning.md).

Half of the identities of faces_small train a network; of the others five disjoint draws of 40 are fine-tuned on, five
images each, and tested on the rest of their images. Runs that are done are not run again.

    MLAFACE_DATA=... python examples/finetuning/measure.py --out work_dirs/finetuning
"""
import argparse
import contextlib
import json
import time
from pathlib import Path

import numpy as np

CONFIG = 'configs/finetune_r18w025_my_faces.py'
DRAWS, PEOPLE, IMAGES, EPOCHS = 5, 40, 5, 20
ALL = 'all layers'
WAYS = {
    'none': None,
    ALL: {},
    'all layers, centres at random': {'init_centers': None},
    'all layers, five times the rate': {'optim_wrapper.optimizer.lr': 0.05},
    'trunk frozen': {'model.backbone.frozen_stages': 4},
    'head first': {'custom_hooks': [dict(type='HeadFirstHook', epochs=5)]},
    'layer-wise decay': {'optim_wrapper.paramwise_cfg.layer_decay': 0.5},
}
SETS = ('dev_lfw', 'dev_celeba', 'dev_lowres')


def split(out):
    """Write the data: ``start`` (half of the identities), and for each draw ``people`` and ``people_test``."""
    from mlaface.datasets.formats.insightface_writer import write_training_set
    from mlaface.datasets.sets.record_faces import RecordFaces
    faces = RecordFaces('faces_small')
    order = np.random.default_rng(0).permutation(faces.num_classes)
    half = np.sort(order[:len(order) // 2])
    write_training_set(out / 'start', [(label, faces.encoded(index)[1]) for label, identity in enumerate(half)
                                       for index in np.flatnonzero(faces.labels == identity)])
    others = [identity for identity in order[len(half):] if (faces.labels == identity).sum() > IMAGES + 1]
    for draw in range(DRAWS):
        for identity in others[draw * PEOPLE:(draw + 1) * PEOPLE]:
            images = np.random.default_rng([1, identity]).permutation(np.flatnonzero(faces.labels == identity))
            for number, index in enumerate(images):
                kind = 'people' if number < IMAGES else 'people_test'
                file = out / f'draw{draw}' / kind / f'{identity:03d}' / f'{number}.jpg'
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(faces.encoded(index)[1])
    (out / 'split.json').write_text(json.dumps(dict(start=half.tolist(), others=[int(i) for i in others])))


def train(config, work_dir, options, seed):
    """Train in this process; the last checkpoint and the seconds of it all."""
    from mlaface.engine.launch import train as run
    begin = time.perf_counter()
    run(config, work_dir, amp='bfloat16', seed=seed, cfg_options={
        'train_dataloader.num_workers': 0, 'val_dataloader': None, 'val_cfg': None, 'val_evaluator': None, **options})
    return max(work_dir.glob('iter_*.pth')), time.perf_counter() - begin


def embed(model, folder):
    """Unit embeddings and labels of a folder of people."""
    from mlaface.datasets.sets.folder_faces import FolderFaces
    faces = FolderFaces(folder)
    batches = [faces.__getitems__(range(start, min(start + 64, len(faces)))) for start in range(0, len(faces), 64)]
    rows = np.concatenate([model.extract(batch['images'], flip='sum').numpy() for batch in batches])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), faces.labels


def identify(checkpoint, folder):
    """Share of the test images that are nearest to the mean of their own person's training images."""
    from mlaface.apis import init_model
    model = init_model(checkpoint)
    (known, labels), (probes, wanted) = embed(model, folder / 'people'), embed(model, folder / 'people_test')
    means = np.stack([known[labels == label].mean(0) for label in range(labels.max() + 1)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return float((np.argmax(probes @ means.T, 1) == wanted).mean())


def verify(checkpoint, dataset, out):
    """Accuracy of each benchmark of a data set, by ``mlaface test``."""
    from mlaface.cli.test import main
    config = out.with_suffix('.py')
    config.write_text(f'_base_ = {str(Path(CONFIG).resolve())!r}\n'
                      f'val_dataloader = dict(dataset={dict(dataset, _delete_=True)!r})\n')
    with contextlib.redirect_stdout(None):
        main([str(config), str(checkpoint), '--out', str(out)])
    result = json.loads(out.read_text())['benchmarks']
    return {name: entry['metrics']['accuracy']['value'] for name, entry in result.items()}


def measure(way, draw, start, out):
    """One run: its numbers, from their file if it is there."""
    folder = out / f'draw{draw}'
    file = out / 'results' / f'{list(WAYS).index(way)}_{draw}.json'
    if file.exists():
        return json.loads(file.read_text())
    file.parent.mkdir(exist_ok=True)
    checkpoint, seconds = start, 0.0
    if WAYS[way] is not None:
        options = {'load_from': str(start), 'train_cfg.max_epochs': EPOCHS,
                   'train_dataloader.dataset.data_root': str((folder / 'people').resolve()), **WAYS[way]}
        checkpoint, seconds = train(CONFIG, out / 'work' / file.stem, options, draw)
    pairs = dict(type='FolderPairs', data_root=str((folder / 'people_test').resolve()), name='pairs')
    numbers = dict(seconds=seconds, identified=identify(checkpoint, folder.resolve()),
                   **verify(checkpoint, pairs, out / 'pairs.json'),
                   **verify(checkpoint, dict(type='VerificationSets', data_root='faces_small', sets=SETS),
                            out / 'sets.json'))
    file.write_text(json.dumps(numbers))
    return numbers


def interval(values):
    """Mean and half of the 95% interval of five draws, by Student's t."""
    from scipy.stats import t
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return np.mean(values), half


def table(results):
    """The numbers, and their difference to the network as it was, as Markdown."""
    names = ('identified', 'pairs', *SETS)
    lines = ['| | ' + ' | '.join(names) + ' | seconds |', '|---' * (len(names) + 2) + '|']
    for way, runs in results.items():
        cells = []
        for name in names:
            values = np.array([run[name] for run in runs])
            change = values - [run[name] for run in results['none']]
            text = '{:.4f}'.format(values.mean())
            cells.append(text if WAYS[way] is None else text + ' ({:+.4f} ± {:.4f})'.format(*interval(change)))
        lines.append(f'| {way} | ' + ' | '.join(cells) + f' | {np.mean([run["seconds"] for run in runs]):.0f} |')
    return '\n'.join(lines)


def main():
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/finetuning'))
    out = parser.parse_args().out
    if not (out / 'split.json').exists():
        split(out)
    start = out / 'start.pth'
    if not start.exists():
        checkpoint, seconds = train('configs/arcface_r18w025_faces_small.py', out / 'work' / 'start', {
            'train_dataloader.dataset.data_root': str((out / 'start').resolve())}, 0)
        start.write_bytes(checkpoint.read_bytes())
        print(f'start network: {seconds:.0f} s')
    print(table({way: [measure(way, draw, start, out) for draw in range(DRAWS)] for way in WAYS}))


if __name__ == '__main__':
    main()
