"""What fine-tuning brings: 40 people with five pictures each, whom the network has never seen (docs/finetuning.md).

Half of the identities of faces_small train a network; of the others five disjoint draws of 40 are fine-tuned on, five
images each, and tested on the rest of their images. Runs that are done are not run again.

    MLAFACE_DATA=... python examples/finetuning/measure.py --out work_dirs/finetuning
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t

from mlaface.apis import init_model
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.sets.folder_faces import FolderFaces
from mlaface.datasets.sets.folder_pairs import FolderPairs
from mlaface.datasets.sets.record_faces import RecordFaces
from mlaface.datasets.sets.verification_sets import VerificationSets
from mlaface.engine import launch
from mlaface.evaluation.functional.pairs import PairRules, evaluate_pairs

CONFIG = 'configs/finetune_r18w025_my_faces.py'
DRAWS, PEOPLE, IMAGES = 5, 40, 5
START_EPOCHS, EPOCHS = 10, 20
WAYS = {
    'none': None,
    'all layers': {},
    'all layers, centres at random': {'init_centers': None},
    'trunk frozen': {'model.backbone.frozen_stages': 4},
    'head first': {'custom_hooks': [dict(type='HeadFirstHook', epochs=5)]},
    'layer-wise decay': {'optim_wrapper.paramwise_cfg.layer_decay': 0.5},
}
SETS = ('dev_lfw', 'dev_celeba', 'dev_lowres')


def split(out):
    """Write the data: ``start`` (half of the identities), and for each draw ``people`` and ``people_test``."""
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
    """Train in this process; the last checkpoint and the processor's seconds of it all."""
    begin = time.process_time()
    launch.train(config, work_dir, amp='bfloat16', seed=seed, cfg_options={
        'train_dataloader.num_workers': 0, 'val_dataloader': None, **options})
    return max(work_dir.glob('iter_*.pth')), time.process_time() - begin


def embed(model, dataset, rows):
    """Unit embeddings of rows of a data set, with their mirror images, under bfloat16."""
    with torch.autocast('cpu', torch.bfloat16):
        parts = [model.extract(dataset.__getitems__(rows[start:start + 64])['images'], flip='sum').float().numpy()
                 for start in range(0, len(rows), 64)]
    embeddings = np.concatenate(parts)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def identify(model, people, test):
    """Share of the test images that are nearest to the mean of their own person's training images."""
    known, probes = (embed(model, faces, range(len(faces))) for faces in (people, test))
    means = np.stack([known[people.labels == label].mean(0) for label in range(people.num_classes)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return float((np.argmax(probes @ means.T, 1) == test.labels).mean())


def verify(model, dataset):
    """Accuracy in folds of each benchmark of a data set."""
    distinct, places = np.unique(dataset.metainfo['same_as'], return_inverse=True)
    rows, accuracy = embed(model, dataset, distinct)[places], {}
    for name, entry in dataset.metainfo['benchmarks'].items():
        result = evaluate_pairs(rows[entry['start']:entry['start'] + entry['images']], entry['issame'],
                                rules=PairRules(flip='none', folds=entry['folds']))
        accuracy[name] = result['metrics']['accuracy']['value']
    return accuracy


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
    model, test = init_model(checkpoint), str((folder / 'people_test').resolve())
    people = FolderFaces(str((folder / 'people').resolve()))
    numbers = dict(seconds=seconds, identified=identify(model, people, FolderFaces(test)),
                   **verify(model, FolderPairs(test, name='pairs')),
                   **verify(model, VerificationSets(SETS, 'faces_small')))
    file.write_text(json.dumps(numbers))
    return numbers


def interval(values):
    """Mean and half of the 95% interval of five draws, by Student's t."""
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
            text = f'{values.mean():.4f}'
            mean, half = interval(change)
            cells.append(text if WAYS[way] is None else f'{text} ({mean:+.4f} ± {half:.4f})')
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
            'train_cfg.max_epochs': START_EPOCHS,
            'train_dataloader.dataset.data_root': str((out / 'start').resolve())}, 0)
        start.write_bytes(checkpoint.read_bytes())
        print(f'start network: {seconds:.0f} s')
    print(table({way: [measure(way, draw, start, out) for draw in range(DRAWS)] for way in WAYS}))


if __name__ == '__main__':
    main()
