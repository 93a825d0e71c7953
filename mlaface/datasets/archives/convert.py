"""A set at a path into another layout at another path: the one call of ``data pack``, ``unpack`` and ``convert``."""
import os
import time
from importlib import import_module
from pathlib import Path

from mlaface.datasets.archives.pieces import in_pieces
from mlaface.datasets.archives.place import claimed
from mlaface.datasets.archives.source import open_source
from mlaface.datasets.archives.transfer import Transfer, order_of
from mlaface.datasets.location import absolute
from mlaface.datasets.prepare.inspect import kind_of
from mlaface.datasets.stores.address import is_address
from mlaface.utils.errors import InputError

LAYOUTS = {
    'records': ('to_records', 'ToRecords', "InsightFace's train.rec, train.idx, property"),
    'tar': ('to_tar', 'ToTar', "WebDataset's tar shards, with an index"),
    'lmdb': ('to_lmdb', 'ToLmdb', 'an LMDB folder'),
    'folder': ('to_folder', 'ToFolder', 'a folder an identity'),
    'im2rec': ('to_records', 'ToListedRecords', 'train.rec, train.idx, train.lst, with all labels'),
    'parquet': ('to_parquet', 'ToParquet', 'Hugging Face\'s data/*.parquet'),
    'bin': ('to_bin', 'ToBin', 'pairs, NAME.bin'),
}


def layout_of(out):
    """The layout (str) that the name of a set tells, or None."""
    return {'.bin': 'bin', '.lmdb': 'lmdb'}.get(Path(out).suffix)


def convert(source, out, layout, rules, *, shuffle=None, exclude=(), options=None, workers=None,
            prepare=None, watch=lambda total: lambda position: None, executor=None, piece_size=4096,
            watch_pieces=lambda total: lambda count: None, root=None):
    """Write a set in another layout.

    Args:
        source (str | Path): The set.
        out (str | Path): Where to; must not be there.
        layout (str): A name of ``LAYOUTS``.
        rules (Rules): What an image must be.
        shuffle (int, optional): Seed of the order of the images.
        exclude (Sequence[str | Path]): Lists of images that are left out, or their addresses in stores.
        options (dict, optional): Of the target, such as ``shard_size``.
        workers (int, optional): Threads that read and check. Default: as many as processors.
        prepare (callable, optional): Given the source and an empty folder, makes there what is to be taken as source;
            gives that, and what became nothing (list of key, kind of fault, and what is wrong).
        watch (callable): Given the number of images, returns what is told how many are behind it.
        executor (Executor, optional): Where images are read and checked; see ``utils/executors``. Default: threads of
            this process. The bytes are the same.
        piece_size (int): Images of a piece, for an executor.
        watch_pieces (callable): As ``watch``, of the pieces that are done in addition.
        root (str | Path, optional): Of a ``.lst``, see ``ListedFaces``; relative to the folder that is the process's.

    Returns:
        dict: The summary, with ``seconds`` of this call and its ``images_per_second``.

    Raises:
        InputError: If the target is there or being made, or was begun with other settings.
        FormatError: If the source is damaged.
    """
    module, name, _ = LAYOUTS[layout]
    target_class = getattr(import_module(f'mlaface.datasets.archives.{module}'), name)
    lists, root = [absolute(file) for file in exclude], root and absolute(root)

    def opened(folder):
        return open_source(folder, exclude=lists, root=root)
    _check_place(source, out)
    dataset = opened(source) if prepare is None else None  # a set that cannot be opened leaves nothing behind
    with claimed(out, 'pairs.bin' if layout == 'bin' else None) as work:
        begun = time.monotonic()
        folder = source
        if prepare is not None:
            folder, dropped = prepare(source, work / 'aligned.part')
            dataset = opened(folder)
            dataset.passed_over = [*dataset.passed_over, *dropped]
        target = target_class(work, dataset.metainfo['classes'], **_target_options(
            layout, dataset, rules, shuffle, options or {}))
        order = order_of(dataset.labels, target.grouped, shuffle)
        threads = workers or (1 if executor else os.cpu_count() or 1)
        what = f'{source} with root {root}' if root else str(source)
        transfer = Transfer(dataset, target, order, rules, threads, what, folder)
        if executor is not None:
            transfer.outcomes = in_pieces(transfer, executor, piece_size, lists, watch_pieces, root)
        summary = transfer.run(watch(len(order)))
    seconds = time.monotonic() - begun
    return dict(summary, seconds=round(seconds, 2), images_per_second=round(summary['images'] / max(seconds, 1e-9), 1))


def _check_place(source, out):
    """Refuse a place that is the set itself, or that its folders of identities would be read with."""
    if is_address(source):
        return
    source, out = Path(source).resolve(), Path(out).resolve()
    if out == source:
        raise InputError(f'{out} is the set itself: give another name')
    if source.is_dir() and kind_of(source) == 'FolderFaces' and out.is_relative_to(source):
        raise InputError(f'{out} lies in {source}, and would be read as one of its identities: give a place outside')


def _target_options(layout, dataset, rules, shuffle, options):
    from mlaface.datasets.archives.to_records import header_fits
    size = dict(size=tuple(rules.size)) if rules.size else {}
    if layout == 'records':
        return dict(size, header=shuffle is None and header_fits(len(dataset), len(dataset.metainfo['classes'])))
    return dict(size, **options)
