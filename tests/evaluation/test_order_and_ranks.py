"""Numbers are the same for any order of a list and any number of ranks, for every kind of protocol."""
import json
import shutil

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mlaface.evaluation.evaluate import evaluate
from mlaface.evaluation.networks.function import CallableNetwork
from mlaface.evaluation.protocols.base import open_protocol

KINDS = ('lfw', 'rfw', 'ijbc', 'tinyface', 'megaface')


def numbers(name, root, **options):
    suite = open_protocol(name, root)
    found = evaluate(CallableNetwork('toy_networks:grid'), suite, bootstrap=10, **options).result['benchmarks']
    for entry in found.values():
        del entry['seconds']
    return found


def reorder(paths, order, head=0):
    for path in paths:
        lines = path.read_text().splitlines()
        path.write_text('\n'.join([*lines[:head], *(lines[head + row] for row in order(len(lines) - head))]))


def shuffle_pairs(root, shuffled):
    """Within each fold."""
    reorder(root.rglob('*_pairs.txt'), lambda count: np.concatenate(
        [part[shuffled(len(part))] for part in np.array_split(np.arange(count), 10)]))


def shuffle_templates(root, shuffled):
    images = shuffled(len((root / 'meta/ijbc_face_tid_mid.txt').read_text().splitlines()))
    reorder((root / f'meta/ijbc_{kind}.txt' for kind in ('face_tid_mid', 'name_5pts_score')), lambda count: images)
    reorder([root / 'meta/ijbc_template_pair_label.txt'], shuffled)
    reorder((root / 'meta').glob('*.csv'), shuffled, 1)


def shuffle_gallery(root, shuffled):
    for kind, file in (('probe', 'probe'), ('gallery', 'gallery_match')):
        path = root / f'Testing_Set/{file}_img_ID_pairs.mat'
        content = loadmat(path)
        order = shuffled(len(content[f'{kind}_ids']))
        savemat(path, {key: content[key][order] for key in (f'{kind}_set', f'{kind}_ids')})


def shuffle_distractors(root, shuffled):
    for path in (root / 'devkit/templatelists').iterdir():
        content = json.loads(path.read_text())
        order = shuffled(len(content['path']))
        path.write_text(json.dumps({key: [column[row] for row in order] for key, column in content.items()}))


@pytest.mark.parametrize('name, shuffle', [('rfw', shuffle_pairs), ('ijbc', shuffle_templates),
                                           ('tinyface', shuffle_gallery), ('megaface', shuffle_distractors)])
def test_any_order_of_the_lists_gives_the_same_numbers(official, tmp_path, name, shuffle):
    expected, root = numbers(name, official(name)), shutil.copytree(official(name), tmp_path / name)
    shuffle(root, np.random.default_rng(0).permutation)
    found = numbers(name, root, batch_size=5)
    assert open_protocol(name, root).images.names != open_protocol(name, official(name)).images.names
    assert found == expected


def _rank(rank, ranks, port, roots, broken, queue):
    import os

    import torch

    from mlaface.engine.distributed import join_ranks, leave_ranks
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(ranks))
    torch.set_num_threads(1)
    join_ranks('gloo')
    found = [numbers(name, root, batch_size=3 + rank) for name, root in roots.items()]
    try:
        numbers('lfw', broken)
    except ValueError as error:  # the image is one rank's, the message all ranks'
        found.append(str(error))
    queue.put(found)
    leave_ranks()


@pytest.mark.slow
@pytest.mark.parametrize('ranks', [2, 3])
def test_any_number_of_ranks_gives_the_same_numbers_and_errors(official, tmp_path, ranks):
    import socket

    import torch
    roots = {name: official(name) for name in KINDS}
    expected = [numbers(name, root) for name, root in roots.items()]
    image = shutil.copytree(official('lfw'), tmp_path / 'lfw') / 'images/Person_001/Person_001_0001.jpg'
    image.write_bytes(b'no image')
    expected.append(f'{image} cannot be decoded as an image: copy it again from the set')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = torch.multiprocessing.get_context('spawn')
    queue = context.Queue()
    processes = [context.Process(target=_rank, args=(rank, ranks, port, roots, tmp_path / 'lfw', queue))
                 for rank in range(ranks)]
    [process.start() for process in processes]
    found = [queue.get(timeout=120) for _ in processes]
    [process.join() for process in processes]
    assert found == [expected] * ranks
