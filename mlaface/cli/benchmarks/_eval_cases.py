"""What the benchmark of the evaluation runs: each case on generated embeddings of a published benchmark's size."""
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

SIZES = dict(
    full=dict(pairs=6000, images=469_375, templates=23_124, template_pairs=15_658_489, positives=19_557,
              subjects=3531, probes=19_593, gallery=1_000_000),
    medium=dict(pairs=6000, images=60_000, templates=6000, template_pairs=2_000_000, positives=6000, subjects=1200,
                probes=2000, gallery=100_000),
    small=dict(pairs=6000, images=8000, templates=1000, template_pairs=100_000, positives=1000, subjects=200,
               probes=500, gallery=20_000))
DIMENSION = 512


def generated_pairs(pairs, seed=0):
    """Embeddings, mirrored embeddings (2P, 512) float32 and labels (P,) of a list in ten balanced folds."""
    rng = np.random.default_rng(seed)
    fold = pairs // 10
    issame = np.arange(pairs) % fold < fold // 2
    embeddings = rng.standard_normal((2 * pairs, DIMENSION), dtype=np.float32)
    embeddings[1::2] += (issame * rng.uniform(0.1, 1.5, pairs)).astype(np.float32)[:, None] * embeddings[0::2]
    flipped = embeddings + rng.standard_normal(embeddings.shape, dtype=np.float32) * np.float32(0.3)
    return embeddings, flipped, issame


def plain_ten_folds(embeddings, flipped, issame):
    """The usual routine, written plainly: for each fold and threshold count anew, then again on a fine grid.

    It is the named competitor: same protocol and numbers, with the loops that the public evaluation has.

    Returns:
        tuple[float, float]: Accuracy, and TAR at a FAR of 1e-3 with the interpolated threshold.
    """
    both = embeddings.astype(np.float64) + flipped
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    distance = np.sum(np.square(both[0::2] - both[1::2]), axis=1)
    everyone, accuracies, tars = np.arange(len(issame)), [], []
    for test in np.array_split(everyone, 10):
        train = np.setdiff1d(everyone, test)
        coarse = np.arange(0, 4, 0.01)
        best = coarse[np.argmax([np.mean((distance[train] < t) == issame[train]) for t in coarse])]
        accuracies.append(np.mean((distance[test] < best) == issame[test]))
        for threshold in coarse:  # the ROC that the routine returns, counted on the test fold
            np.sum((distance[test] < threshold) & issame[test]), np.sum((distance[test] < threshold) & ~issame[test])
        fine, other = np.arange(0, 4, 0.001), ~issame[train]
        rates = [np.sum((distance[train] < t) & other) / other.sum() for t in fine]
        hits = distance[test] < np.interp(1e-3, rates, fine)
        tars.append(np.sum(hits & issame[test]) / issame[test].sum())
    return float(np.mean(accuracies)), float(np.mean(tars))


def _fill(rows, centres, subjects, noise, rng):
    """Fill a float32 table with subjects' centres and noise, block by block."""
    for start in range(0, len(rows), 8192):
        part = rows[start:start + 8192]
        rng.standard_normal(out=part, dtype=np.float32)
        part *= np.float32(noise)
        part += centres[subjects[start:start + 8192]]


def _template_lists(size, rng):
    """Templates and media of images, and the list of pairs with its labels, of the size of IJB-C."""
    templates = np.concatenate([np.arange(size['templates']), rng.integers(0, size['templates'], size['images'])])
    templates = rng.permutation(templates[:size['images']])
    media = rng.integers(0, 12, size['images'])
    first = rng.integers(0, size['templates'], size['template_pairs'], dtype=np.int32)
    second = rng.integers(0, size['templates'], size['template_pairs'], dtype=np.int32)
    second[:size['positives']] = (first[:size['positives']] + size['subjects']) % (
        size['templates'] // size['subjects'] * size['subjects'])
    return templates, media, first, second, (first % size['subjects']) == (second % size['subjects'])


def templates_case(size):
    """Pooling, scores and ROC of IJB 1:1; gives seconds of each step and what came out."""
    from mlaface.evaluation.functional.template_pairs import evaluate_templates
    from mlaface.evaluation.functional.templates import TemplateRules, pool_templates
    rng = np.random.default_rng(0)
    templates, media, first, second, issame = _template_lists(size, rng)
    centres = rng.standard_normal((size['subjects'], DIMENSION), dtype=np.float32)
    embeddings, flipped = (np.empty((size['images'], DIMENSION), np.float32) for _ in range(2))
    for table in (embeddings, flipped):
        _fill(table, centres, templates % size['subjects'], 4.0, rng)
    start = time.perf_counter()
    rules = TemplateRules()
    pooled = pool_templates(embeddings, templates, media, flipped=flipped, rules=rules)
    middle = time.perf_counter()
    del embeddings, flipped
    entry = evaluate_templates(pooled, first, second, issame, rules=rules, workers=2)
    end = time.perf_counter()
    return dict(seconds=dict(pooling=middle - start, scores_and_roc=end - middle, total=end - start),
                tar=entry['metrics']['tar_at_far']['1e-4']['value'])


def _search_data(size):
    """Probes and a gallery that is filled in place; a third of the probes has no mate."""
    rng = np.random.default_rng(1)
    subjects = np.arange(size['gallery'])
    probe_subjects = rng.integers(0, size['gallery'] * 3 // 2, size['probes'])
    gallery = np.empty((size['gallery'], DIMENSION), np.float32)
    for start in range(0, len(gallery), 8192):
        rng.standard_normal(out=gallery[start:start + 8192], dtype=np.float32)
    probes = rng.standard_normal((size['probes'], DIMENSION), dtype=np.float32) * np.float32(2)
    probes += gallery[probe_subjects % size['gallery']] * (probe_subjects < size['gallery'])[:, None]
    return probes, probe_subjects, gallery, subjects


def blocks_case(size):
    """1:N: ranks on mated probes and TPIR at FPIR against one gallery, exact, by blocks of products in numpy."""
    from mlaface.evaluation.functional.search import scan_gallery
    return _search(size, scan_gallery)


def faiss_case(size):
    """The same numbers through FAISS."""
    from mlaface.evaluation.search.faiss_scan import scan_by_faiss
    return _search(size, scan_by_faiss)


def _search(size, scan):
    from mlaface.evaluation.functional.open_set import evaluate_open_set
    probes, probe_subjects, gallery, subjects = _search_data(size)
    start = time.perf_counter()
    entry = evaluate_open_set(probes, probe_subjects, dict(generated=(gallery, subjects)), scan=scan)
    return dict(seconds=dict(total=time.perf_counter() - start), metrics=entry['metrics'])


def bare_faiss_case(size):
    """The ten nearest entries by FAISS' flat index, fed block by block, in float32: the named competitor of 1:N."""
    import faiss
    probes, _, gallery, _ = _search_data(size)
    start = time.perf_counter()
    faiss.normalize_L2(probes)
    best = np.full((len(probes), 10), -np.inf, np.float32)
    for first in range(0, len(gallery), 65_536):
        block = gallery[first:first + 65_536].copy()
        faiss.normalize_L2(block)
        index = faiss.IndexFlatIP(DIMENSION)
        index.add(block)
        best = -np.sort(-np.concatenate([best, index.search(probes, 10)[0]], axis=1), axis=1)[:, :10]
    return dict(seconds=dict(total=time.perf_counter() - start))


CASES = dict(templates=templates_case, blocks=blocks_case, faiss=faiss_case, bare_faiss=bare_faiss_case)


def peak_bytes():
    """Peak resident memory of this process.

    On Linux it is read from ``/proc``: a process inherits ``ru_maxrss`` from the one that started it.
    """
    status = Path('/proc/self/status')
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) * 1024
    scale = 1 if sys.platform == 'darwin' else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def main(argv):
    """Run one case in this process and print its seconds and the process' peak memory as JSON."""
    report = CASES[argv[0]](SIZES[argv[1]])
    report['peak_bytes'] = peak_bytes()
    print(json.dumps(report))


if __name__ == '__main__':
    main(sys.argv[1:])
