"""Images read and checked on many nodes, in pieces of the order that they are written in.

A piece is the images as they go on, one behind the other, and a table of them. The set itself is written by one
process, which takes the pieces in order: numbers of records and borders of shards depend on all images before. So every
layout has the same bytes as without pieces, and what is dear, to decode each image, is spread.
"""
import json
from functools import partial
from pathlib import Path

import numpy as np

from mlaface.datasets.archives.examine import Rules
from mlaface.datasets.archives.source import open_source
from mlaface.datasets.archives.transfer import ahead, names_anew, read_images, recipe_of
from mlaface.datasets.location import absolute
from mlaface.utils.executors.job import Job, ranges
from mlaface.utils.files import atomic_path

FOLDER = 'pieces.part'  # in the work folder of the set; removed when that becomes the set
TASK = 'mlaface.datasets.archives.pieces:open_reader'


def open_reader(source, exclude, order, names, rules, workers, root=None):
    """What makes a piece, in the process of a node.

    Args:
        source (str): The set.
        exclude (list[str]): Lists of images that are left out.
        order (str): File of the order, ndarray (N,).
        names (str): File of the names that some images have instead of their own, JSON from index to name.
        rules (list): Fields of ``Rules``.
        workers (int): Threads.
        root (str, optional): Of a ``.lst``.

    Returns:
        callable: ``make(piece, file)``; a piece is start and stop in the order.
    """
    dataset = open_source(source, exclude=exclude, root=root)
    order, names = np.load(order, mmap_mode='r'), json.loads(Path(names).read_bytes())
    size, *rest = rules
    names = {int(index): name for index, name in names.items()}
    work = partial(read_images, dataset, Rules(size and tuple(size), *rest), names)

    def make(piece, file):
        table = []
        for index, name, ending, further, data in ahead(work, order[slice(*piece)], workers):
            if name is not None:
                further = [float(label) for label in further]
                file.write(data)
            table.append([index, name, ending, further, None if name is None else len(data)])
        text = json.dumps(table).encode()
        file.write(text + len(text).to_bytes(8, 'little'))
    return make


def outcomes_of(content):
    """What ``transfer.read_images`` gave, of a piece's bytes."""
    end = len(content) - 8
    table = json.loads(content[end - int.from_bytes(content[end:], 'little'):end])
    place = 0
    for index, name, ending, further, size in table:
        data = None if name is None else content[place:place + size]
        place += size or 0
        yield index, name, ending, further, data


def in_pieces(transfer, executor, size, exclude=(), advance=lambda total: lambda count: None, root=None):
    """Have a transfer's images read by an executor.

    Args:
        transfer (Transfer): Whose images; its source lies at ``transfer.what``.
        executor (Executor): Where.
        size (int): Images of a piece.
        exclude (Sequence[str]): Lists that the source was opened with.
        advance (callable): Given the number of pieces, returns what is told how many are done in addition.
        root (str, optional): That it was opened with.

    Returns:
        callable: In place of ``transfer.outcomes``.
    """
    def outcomes(position):
        folder = transfer.work / FOLDER
        folder.mkdir(exist_ok=True)
        files = dict(order=str(folder / 'order.npy'), names=str(folder / 'names.json'))
        with atomic_path(files['order']) as temporary, open(temporary, 'wb') as file:
            np.save(file, transfer.order)
        with atomic_path(files['names']) as temporary:
            temporary.write_text(json.dumps(names_anew(transfer.source) if transfer.target.named else {}))
        recipe = recipe_of(transfer.source, transfer.order, transfer.target, transfer.rules, transfer.what)
        pieces = ranges(len(transfer.order), size)
        job = Job(folder, TASK, dict(files, source=absolute(transfer.folder), exclude=list(exclude),
                                     rules=list(transfer.rules), workers=transfer.workers, root=root), pieces,
                  dict(recipe, exclude=list(exclude)))
        job.run(executor, advance(len(pieces)))
        first = position // size
        rest = (outcome for content in job.contents(first) for outcome in outcomes_of(content))
        for _ in range(position - first * size):
            next(rest, None)
        return rest
    return outcomes
