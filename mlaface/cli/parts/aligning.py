"""Photographs to aligned faces, here or by nodes in pieces: what ``align`` and ``data pack --align`` share."""
import json
import os
from itertools import islice
from pathlib import Path

from mlaface.cli.parts.executors import as_arguments, portable
from mlaface.cli.parts.inference import detector_settings, open_detector
from mlaface.cli.parts.steps import resumed
from mlaface.datasets.location import absolute
from mlaface.datasets.stores.address import is_address, store_address
from mlaface.inference.finder import FaceFinder
from mlaface.inference.preparation import FaceRules, Photographs, align_folder, distinct_stems, settle

PIECES = '.pieces'  # in the folder of the faces: hidden, so that it is no person


def aligned(args, source, target, workers, rules=FaceRules(), spread=None):  # noqa: B008, a tuple
    """``align_folder`` as a command's arguments say.

    Args:
        args (Namespace): ``out``, ``size``, ``quality``, and those of ``add_detector``.
        source (str | Path): Folder of the photographs, or its address in a store.
        target (str | Path): Folder of the faces.
        workers (int): Threads.
        rules (FaceRules): What is kept.
        spread (Spread, optional): Nodes that do it.

    Yields:
        dict: See ``align_folder``.
    """
    def settled(names):
        from mlaface.utils.executors.job import Job, ranges
        values = portable(args, 'detector')
        settings = dict(source=absolute(source), target=os.path.abspath(target), values=values, workers=workers,
                        rules=list(rules))
        inputs = dict(settings, workers=None, names=names, values={key: values[key] for key in (
            'size', 'quality', 'detector', 'min_score', 'device', 'imports')})
        job = spread.run(Job(Path(target, PIECES), f'{__name__}:open_aligner', settings,
                             ranges(len(names), spread.size), inputs), 'aligning')
        for content in job.contents():
            yield from map(json.loads, content.splitlines())
        job.remove()
    yield from align_folder(_finder(args, workers), _photographs(source), target, rules, args.quality,
                            settled if spread else None, detector_settings(args),
                            lambda done, total: resumed(args.out, total, lambda count: None)(done))


def _finder(args, workers):
    return FaceFinder(open_detector(args), tuple(args.size), workers)


def _photographs(place):
    if not is_address(place):
        return Photographs(place)
    from mlaface.datasets.stores.images import StoredPhotographs
    return StoredPhotographs(store_address(place))


def open_aligner(source, target, values, workers, rules):
    """What aligns a piece, in the process of a node: its faces are written to the target, their fates are the piece."""
    args, source, target = as_arguments(values), _photographs(source), Path(target)
    finder, stems = _finder(args, workers), distinct_stems(source.names)

    def make(piece, file):
        mine = dict(islice(stems.items(), *piece))
        for record in settle(finder, source, target, mine, FaceRules(*rules), args.quality):
            file.write(json.dumps(record).encode() + b'\n')
        os.sync()  # the faces before the piece says that they are there
    return make
