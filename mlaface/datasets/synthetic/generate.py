"""Write a data set of drawn faces in the layouts of real ones."""
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import get_context, parent_process
from pathlib import Path

import cv2
import numpy as np

from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.formats.jpeg import encode
from mlaface.datasets.synthetic.identity import identity_traits
from mlaface.datasets.synthetic.manifest import claim, complete, finished
from mlaface.datasets.synthetic.nuisance import BENCHMARKS, TRAINING, image_rng
from mlaface.datasets.synthetic.paint import paint
from mlaface.datasets.synthetic.shape import face_mesh
from mlaface.utils.packages import import_optional

FIRST_TEST = 1 << 32  # numbers of test identities begin here: training never gets that far
FOLDS = 10
STYLES = 'flat', 'heads'


@dataclass(frozen=True)
class Recipe:
    """What is drawn.

    Args:
        identities (int): Training identities.
        images_per_identity (int): Training images of each.
        test_identities (int): Identities of the benchmarks, none of them trained; a multiple of 10, 20 at least.
        pairs (int): Pairs of each benchmark; a multiple of 20.
        seed (int): Of everything.
        style (str): Way of drawing, one of ``STYLES``.

    Raises:
        ValueError: If a number does not fit.
    """
    identities: int = 300
    images_per_identity: int = 32
    test_identities: int = 100
    pairs: int = 600
    seed: int = 0
    style: str = 'flat'

    def __post_init__(self):
        if self.style not in STYLES:
            raise ValueError(f'style is {self.style!r}: it must be one of {", ".join(STYLES)}')
        if self.identities < 1 or self.images_per_identity < 1 or self.seed < 0:
            raise ValueError(f'{self}: there must be an identity and an image, and the seed must not be negative')
        if self.test_identities % FOLDS or self.test_identities < 2 * FOLDS:
            raise ValueError(f'test_identities is {self.test_identities}: it must be a multiple of {FOLDS}, at least '
                             f'{2 * FOLDS}, since no identity stands in two folds')
        if self.pairs % (2 * FOLDS) or self.pairs < 2 * FOLDS:
            raise ValueError(f'pairs is {self.pairs}: it must be a multiple of {2 * FOLDS}, so that each of {FOLDS} '
                             'folds has as many positive as negative pairs')


def draw_images(job, seed, conditions):
    """Draw images of one identity.

    Args:
        job (tuple[int, Sequence[int]]): Number of the identity, numbers of its images.
        seed (int): Of the data set.
        conditions (Conditions): Strength of the nuisance.

    Returns:
        list[bytes]: JPEGs.
    """
    number, images = job
    traits = identity_traits(seed, number)
    mesh = face_mesh(traits)
    drawn = []
    for image in images:
        rng = image_rng(seed, number, image)
        drawn.append(encode(paint(mesh, traits, rng, conditions), int(rng.integers(60, 96))))
    return drawn


def drawing(style):
    """What draws the images of an identity.

    Args:
        style (str): One of ``STYLES``.

    Returns:
        callable: Of the arguments and result of ``draw_images``, which is that of ``'flat'``.

    Raises:
        MissingPackageError: If numba, which compiles the heads' kernels, cannot be imported.
    """
    if style == 'flat':
        return draw_images
    import_optional('numba', 'Drawing heads', ", or draw style 'flat'")
    return import_module('mlaface.datasets.synthetic.heads.draw').draw_images


def plan_pairs(recipe, order):
    """Choose who stands in the pairs of a benchmark.

    Args:
        recipe (Recipe): What is drawn.
        order (int): Number of the benchmark.

    Returns:
        tuple[list[int], ndarray]: Identity of each image, 2P, and bool (P,). A fold's identities are its own, and its
        pairs are half positive, half negative.
    """
    rng = np.random.Generator(np.random.PCG64([recipe.seed, 3, order]))
    block, half = recipe.test_identities // FOLDS, recipe.pairs // FOLDS // 2
    people, issame = [], []
    for fold in range(FOLDS):
        for pair in range(2 * half):
            first, second = rng.permutation(block)[:2] + fold * block + FIRST_TEST
            same = pair % 2 == 0
            people += [int(first), int(first if same else second)]
            issame.append(same)
    return people, np.array(issame)


def _pair_jobs(people, order, pairs):
    """One job an image: every one is drawn afresh, and the same in no two benchmarks."""
    return [(person, [order * 2 * pairs + slot]) for slot, person in enumerate(people)]


def generate(folder, recipe, workers=1, advance=lambda images: None, overwrite=False):
    """Draw and write a set; a finished one is left as it is.

    Args:
        folder (str | Path): Gets ``train.rec``, ``train.idx``, ``property``, ``classes.txt``, the ``.bin`` files, and
            last the manifest.
        recipe (Recipe): What is drawn.
        workers (int): Processes.
        advance (callable): Told how many images were drawn, again and again.
        overwrite (bool): Replace a set drawn before, of whatever recipe.

    Returns:
        bool: Whether anything was drawn.

    Raises:
        MissingPackageError: If the style needs a package that is not there.
        ValueError: If the folder holds a set of another recipe, or one that was not drawn.
    """
    folder = Path(folder)
    if not overwrite and finished(folder, recipe):
        return False
    draw = drawing(recipe.style)
    claim(folder, recipe)
    with ExitStack() as stack:
        mapper = map
        stack.enter_context(_one_thread())
        if workers > 1:
            pool = stack.enter_context(ProcessPoolExecutor(workers, get_context('spawn'), _begin_worker))
            mapper = partial(pool.map, chunksize=4)
        _write(folder, recipe, draw, mapper, advance)
    complete(folder, recipe)
    return True


@contextmanager
def _one_thread():
    """OpenCV with one thread: for images so small others cost a tenth of the time, and win none."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _begin_worker():
    """Draw with one thread, leave Ctrl-C to the parent process, and end with it even if it is killed."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(process):
    process.join()
    os._exit(1)


def _write(folder, recipe, draw, mapper, advance):
    names = [f'synthetic:{number}' for number in range(recipe.identities)]
    write_training_set(folder, _training_images(recipe, draw, mapper, advance), names=names)
    for order, (name, conditions) in enumerate(BENCHMARKS.items()):
        people, issame = plan_pairs(recipe, order)
        images = []
        for drawn in mapper(partial(draw, seed=recipe.seed, conditions=conditions),
                            _pair_jobs(people, order, recipe.pairs)):
            images += drawn
            advance(len(drawn))
        write_bin(folder / f'{name}.bin', images, issame)


def _training_images(recipe, draw, mapper, advance):
    jobs = [(number, range(recipe.images_per_identity)) for number in range(recipe.identities)]
    drawn = mapper(partial(draw, seed=recipe.seed, conditions=TRAINING), jobs)
    for label, images in enumerate(drawn):
        advance(len(images))
        yield from ((label, image) for image in images)
