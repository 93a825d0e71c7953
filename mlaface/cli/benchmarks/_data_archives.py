"""The same images in every layout, read by one data worker of ours and by public ways; packing; a large index."""
import os
import subprocess
import time
from pathlib import Path

import numpy as np

from mlaface.cli.benchmarks.harness import measure, paired_ratio, result, row

LAYOUTS = ('records', 'tar', 'lmdb', 'folder', 'parquet')
PUBLIC = dict(webdataset='tar', lmdb='lmdb', torchvision='folder', mxnet='records')


def write_layouts(source, folder):
    """Write a set in every layout; paths by layout."""
    from mlaface.datasets.archives.convert import convert
    from mlaface.datasets.archives.examine import Rules
    found = {}
    for layout in LAYOUTS:
        found[layout] = Path(folder) / layout
        convert(source, found[layout], layout, Rules(decode=False))
    return found


def public_case(python, case, path, order):
    """A callable that runs a public reader in its own environment; gives its seconds."""
    script = Path(__file__).with_name('_public_readers.py')
    environment = {key: value for key, value in os.environ.items() if not key.startswith('PYTHON')}

    def run():
        done = subprocess.run([python, str(script), case, str(path), str(order)], env=environment, capture_output=True,
                              text=True)
        if done.returncode:
            raise RuntimeError(f'{case}: {done.stderr.strip().splitlines()[-1]}')
        return float(done.stdout.split()[-1])
    return run


def worker_case(dataset, order, batch_size):
    """A callable that reads an epoch's draws with one worker; the seconds behind the first batch, for all."""
    from mlaface.engine.data import build_dataloader
    loader = build_dataloader(dict(dataset=dataset, batch_size=batch_size, sampler=order, num_workers=1,
                                   persistent_workers=True, prefetch_factor=4), seed=0)

    def run():
        counted, begun = 0, None
        for batch in loader:
            if begun is None:
                begun = time.perf_counter()
            else:
                counted += len(batch['labels'])
        return (time.perf_counter() - begun) * len(order) / counted
    return run


def compare_layouts(source, folder, args):
    """Bare decoding, a worker over every layout, and the public ways whose environments are named, in turn.

    Returns:
        dict: Benchmark JSON.
    """
    from mlaface.datasets.formats.jpeg import decode
    from mlaface.datasets.prepare.inspect import open_set
    paths = write_layouts(source, folder)
    sets = {layout: open_set(path) for layout, path in paths.items()}
    order = np.random.default_rng(0).integers(0, len(sets['records']), args.images).tolist()
    np.save(f'{folder}/order.npy', np.array(order))
    images = [sets['records'].encoded(index)[1] for index in range(len(sets['records']))]

    def bare():
        for index in order:
            decode(images[index])
    cases = dict(bare=bare, **{layout: worker_case(dataset, order, args.batch_size)
                               for layout, dataset in sets.items()})
    for name, layout in PUBLIC.items():
        python = args.mxnet_python if name == 'mxnet' else args.public_python
        if python:
            cases[f'public {name}'] = public_case(python, name, paths[layout], f'{folder}/order.npy')
    seconds = measure(cases, args.repeats)
    rates = {name: [args.images / value for value in values] for name, values in seconds.items()}
    ratios = {f'{layout} over bare': paired_ratio(rates[layout], rates['bare']) for layout in LAYOUTS}
    ratios.update({f'{layout} over {name}': paired_ratio(rates[layout], rates[f'public {name}'])
                   for name, layout in PUBLIC.items() if f'public {name}' in rates})
    return result('data --archives', [row(name, values, 'images/s') for name, values in rates.items()], ratios)


def compare_packing(source, folder, args):
    """Packing a folder with one thread, beside reading and decoding its files and beside writing as many bytes.

    Returns:
        dict: Benchmark JSON.
    """
    import shutil

    from mlaface.datasets.archives.convert import convert
    from mlaface.datasets.archives.examine import Rules
    from mlaface.datasets.formats.jpeg import decode
    from mlaface.datasets.prepare.inspect import open_set
    files = Path(folder) / 'files'
    convert(source, files, 'folder', Rules(decode=False))
    dataset = open_set(files)

    def decoder():
        for index in range(len(dataset)):
            decode(dataset.encoded(index)[1])

    def disk():
        with open(f'{folder}/bytes', 'wb') as file:
            for index in range(len(dataset)):
                file.write(dataset.encoded(index)[1])
            file.flush()
            os.fsync(file.fileno())

    def pack(layout):
        def run():
            out = Path(folder) / 'packed'
            begun = time.perf_counter()
            convert(files, out, layout, Rules((112, 112), 95), workers=1)
            seconds = time.perf_counter() - begun
            shutil.rmtree(out)
            return seconds
        return run
    layouts = ('records', 'tar', 'lmdb')
    seconds = measure(dict(decoder=decoder, disk=disk, **{layout: pack(layout) for layout in layouts}), args.repeats)
    rates = {name: [len(dataset) / value for value in values] for name, values in seconds.items()}
    lower = [min(pair) for pair in zip(rates['decoder'], rates['disk'])]
    return result('data --pack', [row(name, values, 'images/s') for name, values in rates.items()], {
        f'pack {layout} over the slower of decoder and disk': paired_ratio(rates[layout], lower)
        for layout in layouts})


def first_batch(dataset, args, folder, generated_index):
    """Seconds from opening a set of millions of records to its first batch, with header-less records as they come.

    Returns:
        dict: Benchmark JSON.
    """
    from mlaface.datasets.formats.insightface import labels_path
    from mlaface.registry import DATASETS
    path = generated_index(folder, dataset, args.records)
    np.save(labels_path(path), np.zeros(args.records, np.int32))
    order = np.random.default_rng(0).integers(0, args.records, args.batch_size).tolist()

    def run(**where):
        DATASETS.build(where).__getitems__(order)
    tar = _large_tar(Path(folder) / 'tar', dataset, args.records)
    seconds = measure(dict(records=lambda: run(type='RecordFaces', data_root=str(path.absolute())),
                           tar=lambda: run(type='TarFaces', data_root=str(tar.absolute()))), args.repeats)
    return result('data --first-batch', [row(
        f'{args.records} images in {name}: opened, and {args.batch_size} images read', values, 's')
        for name, values in seconds.items()], {})


def _large_tar(folder, dataset, images):
    """A tar set whose index has any number of images, which share the bytes of a few; its folder."""
    from mlaface.datasets.archives.target import Item
    from mlaface.datasets.archives.to_tar import ToTar
    from mlaface.datasets.formats.tar_shards import INDEX
    folder.mkdir()
    target = ToTar(folder, ['one'])
    target.open(None)
    for number in range(64):
        target.write(Item(number, 0, 'one', str(number), '.jpg', (), dataset.encoded(number)[1]))
    target.finish(np.zeros(64, np.int32))
    target.close()
    few = np.load(folder / INDEX)
    with open(folder / INDEX, 'wb') as file:
        np.lib.format.write_array_header_1_0(file, dict(np.lib.format.header_data_from_array_1_0(few),
                                                        shape=(images,)))
        for start in range(0, images, 1 << 20):
            file.write(few[np.arange(start, min(start + (1 << 20), images)) % 64].tobytes())
    return folder
