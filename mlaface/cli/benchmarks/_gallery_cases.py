"""What the benchmark of galleries runs: each case in a process of its own, on generated embeddings."""
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mlaface.cli.benchmarks._eval_cases import peak_bytes
from mlaface.cli.benchmarks._gallery_kills import MODEL
from mlaface.cli.benchmarks.harness import measure

DIMENSION, BLOCK, PROBES, BEST = 512, 10_000, 32, 5


def blocks(count, seed=0):
    """Embeddings of unit length, a block (B, 512) float32 at a time, the same whenever they are asked for."""
    for start in range(0, count, BLOCK):
        rows = np.random.default_rng([seed, start]).standard_normal((min(BLOCK, count - start), DIMENSION), np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        yield start, rows


def probes_and_answers(count):
    """Probes (P, 512), every second one near somebody, and the best rows (P, 5) by a float64 product with all."""
    rng = np.random.default_rng(1)
    probes = rng.standard_normal((PROBES, DIMENSION), np.float32)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    first = next(blocks(count))[1]
    probes[::2] += first[rng.integers(0, len(first), PROBES // 2)]
    unit = probes.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    scores, places = np.empty((PROBES, 0)), np.empty((PROBES, 0), int)
    for start, rows in blocks(count):
        rows = rows.astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        scores = np.concatenate([scores, unit @ rows.T], axis=1)
        places = np.concatenate([places, np.broadcast_to(np.arange(start, start + len(rows)), (PROBES, len(rows)))], 1)
        order = np.argsort(-scores, axis=1, kind='stable')[:, :BEST]
        scores, places = np.take_along_axis(scores, order, 1), np.take_along_axis(places, order, 1)
    return probes, places


class GalleryCase:
    """A gallery on one of the engines.

    Args:
        location (str): Where it is made.
        key (bytes or None): Encrypts it.
    """

    def __init__(self, location, key=None):
        from mlaface.gallery import Gallery
        self.open = lambda: Gallery.open(location, MODEL, create=True, key=key)
        self.gallery = self.open()

    def add(self, start, rows):
        """Enrol rows as people called by their number."""
        from mlaface.gallery import Enrolment
        for first in range(0, len(rows), 1000):
            self.gallery.enroll_all([Enrolment(str(start + first + number), row)
                                     for number, row in enumerate(rows[first:first + 1000])])

    def load(self):
        """Open it anew, as another process would, up to the first answer."""
        self.gallery.close()
        self.gallery = self.open()
        self.search(np.ones((1, DIMENSION), np.float32))

    def search(self, probes):
        """Best rows of each probe (list[list[int]])."""
        return [[int(match.name) for match in matches] for matches in self.gallery.identify(probes, BEST)]

    def report(self):
        """Bytes on the disk and of the index."""
        return dict(disk=self.gallery.engine.size(), index=self.gallery._finder.index.nbytes())


class FaissCase:
    """FAISS' flat index alone, in memory only: the named competitor of exact search."""

    def __init__(self, location):
        import faiss
        faiss.omp_set_num_threads(_processors())
        self.index = faiss.IndexFlatIP(DIMENSION)

    def add(self, start, rows):
        """See ``GalleryCase``."""
        self.index.add(rows)

    def load(self):
        """Nothing: it was never written."""

    def search(self, probes):
        """See ``GalleryCase``."""
        return self.index.search(np.ascontiguousarray(probes), BEST)[1].tolist()

    def report(self):
        """See ``GalleryCase``."""
        return dict(disk=0, index=self.index.ntotal * DIMENSION * 4)


class LanceCase:
    """LanceDB alone: a table on the disk, searched without an approximate index."""

    def __init__(self, location):
        import lancedb
        self.folder, self.connect, self.table = location, lancedb.connect, None

    def add(self, start, rows):
        """See ``GalleryCase``."""
        import pyarrow
        vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.ravel()), DIMENSION)
        data = pyarrow.table(dict(id=np.arange(start, start + len(rows)), vector=vectors))
        if self.table is None:
            self.table = self.connect(self.folder).create_table('faces', data)
        else:
            self.table.add(data)

    def load(self):
        """See ``GalleryCase``."""
        self.table = self.connect(self.folder).open_table('faces')
        self.search(np.ones((1, DIMENSION), np.float32))

    def search(self, probes):
        """See ``GalleryCase``."""
        return [[row['id'] for row in self.table.search(probe).metric('dot').limit(BEST).select(['id']).to_list()]
                for probe in probes]

    def report(self):
        """See ``GalleryCase``."""
        return dict(disk=sum(file.stat().st_size for file in Path(self.folder).rglob('*') if file.is_file()), index=0)


class MilvusCase:
    """Milvus Lite alone: Milvus' interface over a file, with its flat index."""

    def __init__(self, location):
        from pymilvus import MilvusClient
        self.file = f'{location}.db'
        self.client = MilvusClient(self.file)
        self.client.create_collection('faces', dimension=DIMENSION, metric_type='IP', consistency_level='Strong')

    def add(self, start, rows):
        """See ``GalleryCase``."""
        for first in range(0, len(rows), 2000):
            self.client.insert('faces', [dict(id=start + first + number, vector=row)
                                         for number, row in enumerate(rows[first:first + 2000])])

    def load(self):
        """See ``GalleryCase``."""
        self.client.flush('faces')
        self.client.load_collection('faces')
        self.search(np.ones((1, DIMENSION), np.float32))

    def search(self, probes):
        """See ``GalleryCase``."""
        return [[row['id'] for row in found] for found in self.client.search('faces', list(probes), limit=BEST)]

    def report(self):
        """See ``GalleryCase``."""
        files = [self.file] if os.path.isfile(self.file) else Path(self.file).rglob('*')
        return dict(disk=sum(os.path.getsize(file) for file in files), index=0)


CASES = dict(sqlite=GalleryCase, encrypted=lambda location: GalleryCase(location, bytes(range(32))),
             postgresql=GalleryCase, faiss=FaissCase, lancedb=LanceCase, milvus_lite=MilvusCase)


def run(name, count, location, repeats):
    """One case at one size.

    Args:
        name (str): Of ``CASES``.
        count (int): People, of one image each.
        location (str): A path or URL that nothing is at yet.
        repeats (int): Counted rounds of searches.

    Returns:
        dict: ``enroll`` (images/s), ``load`` (s), ``search`` and ``read`` (ms a round), ``processor`` (ms), ``many``
        (ms a probe of 16), ``recall``, ``bytes`` on the disk, of the index, and at the peak.
    """
    case, spent = CASES[name](location), 0.0
    for first, rows in blocks(count):
        start = time.perf_counter()
        case.add(first, rows)
        spent += time.perf_counter() - start
    start = time.perf_counter()
    case.load()
    loaded = time.perf_counter() - start
    peak = peak_bytes()
    probes, answers = probes_and_answers(count)
    found = [case.search(probe[None])[0] for probe in probes]
    report = case.report()
    timed = _time_searches(case, probes, report['index'], repeats)
    return dict(name=name, count=count, enroll=count / spent, load=loaded, recall=float(np.mean(
        [len(set(a) & set(b)) / BEST for a, b in zip(found, answers.tolist())])), same_ranks=found == answers.tolist(),
        **timed, bytes=dict(**report, peak=peak))


def _time_searches(case, probes, index_bytes, repeats):
    """Milliseconds of a search, of reading as many bytes as the index has, and of 16 searches at once, in turn."""
    import torch
    torch.set_num_threads(_processors())
    memory = torch.ones(max(index_bytes, 1 << 20) // 4, dtype=torch.float32)
    turn, processor = iter(range(1 << 30)), []

    def one():
        probe = probes[next(turn) % len(probes)][None]
        started = time.process_time()
        case.search(probe)
        processor.append(time.process_time() - started)

    def many():
        case.search(probes[:16])

    def read():
        memory.sum()

    seconds = measure(dict(search=one, read=read, many=many), repeats)
    milliseconds = {key: [1e3 * value for value in values] for key, values in seconds.items()}
    return dict(milliseconds, processor=[1e3 * value for value in processor[1:]],
                many=[value / 16 for value in milliseconds['many']])


def _processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def main(argv):
    """Run one case in this process and print its figures as JSON."""
    name, count, repeats, server = argv[0], int(argv[1]), int(argv[2]), argv[3]
    folder = tempfile.mkdtemp(prefix='gallery-', dir=argv[4] or None)
    try:
        location = f'{server}#bench_{os.getpid()}' if name == 'postgresql' else f'{folder}/faces'
        print(json.dumps(run(name, count, location, repeats)))
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main(sys.argv[1:])
