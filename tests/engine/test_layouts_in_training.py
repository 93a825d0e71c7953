"""A run over each layout of a set is one and the same run, also stopped in the middle and continued."""
from multiprocessing import active_children

import numpy as np
import pytest
import torch

from mlaface.datasets.formats.jpeg import encode
from tests.datasets.archive_sets import converted
from tests.engine.test_resume import interrupted, last_state, losses, run_weight, same
from tests.engine.toy import CLASSES, run

SETS = dict(folder='FolderFaces', records='RecordFaces', tar='TarFaces', lmdb='LmdbFaces', parquet='ParquetFaces',
            list='ListedFaces')
QUICK = 'records', 'tar'  # one that is read at places, and one in shards


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    """Folder of one set in every layout."""
    made = tmp_path_factory.mktemp('sets')
    for number in range(44):
        path = made / 'folder' / f'p{number % CLASSES}' / f'{number:02}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)))
    for layout in ('records', 'tar', 'lmdb', 'parquet'):
        converted(made / 'folder', made / layout, layout)
    files = sorted(path.relative_to(made) for path in made.glob('folder/*/*.jpg'))
    (made / 'list.lst').write_text(''.join(f'{k}\t{file.parts[1][1:]}\t{file}\n' for k, file in enumerate(files)))
    return made


def options(sets, layout, workers=0):
    where = sets / ('list.lst' if layout == 'list' else layout)
    return dict(train_dataloader__dataset=dict(type=SETS[layout], data_root=str(where), image_size=(8, 8)),
                train_dataloader__num_workers=workers, train_dataloader__sampler=dict(type='EpochSampler'),
                train_dataloader__collate_fn=dict(type='collate_images'))


@pytest.fixture(scope='module')
def whole(sets, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    run(folder, **options(sets, 'folder'))
    return folder


@pytest.mark.parametrize('layout', [layout if layout in QUICK else pytest.param(layout, marks=pytest.mark.slow)
                                    for layout in SETS])
def test_stopped_and_continued(layout, sets, whole, tmp_path):
    interrupted(tmp_path, 7, **options(sets, layout, workers=2))
    resumed = run(tmp_path, resume=True, **options(sets, layout))
    assert resumed.iter == 15 and losses(tmp_path) == losses(whole)
    same(last_state(whole), last_state(tmp_path))
    assert torch.equal(resumed.bare_model.head.weight, run_weight(whole))


@pytest.mark.slow
@pytest.mark.parametrize('layout, cache_gb', [('folder', 17e-6), ('list', 17e-6), ('parquet', 17e-6), ('lmdb', 1e-3)])
def test_stopped_and_continued_over_a_bucket(layout, cache_gb, sets, whole, tmp_path):
    """With a cache that holds some of the set, but for LMDB, which is copied whole."""
    from tests.datasets.s3 import filled, s3_server
    files = {f'/{path.relative_to(sets).as_posix()}': path.read_bytes() for path in sets.rglob('*') if path.is_file()}
    assert sum(len(data) for path, data in files.items() if path.startswith('/folder/')) > 1.5 * 17_000
    with s3_server(tmp_path) as endpoint, filled(endpoint, files):
        root = dict(address=f's3://faces/sets/{"list.lst" if layout == "list" else layout}', block_kb=1,
                    cache_gb=cache_gb)
        stated = options(sets, layout, workers=2)
        stated['train_dataloader__dataset']['data_root'] = root
        interrupted(tmp_path, 7, **stated)
        resumed = run(tmp_path, resume=True, **stated)
    assert resumed.iter == 15 and losses(tmp_path) == losses(whole)
    same(last_state(whole), last_state(tmp_path))


def test_workers_end_with_a_run_that_was_stopped(sets, tmp_path):
    interrupted(tmp_path, 7, **options(sets, 'folder', workers=2))
    assert not active_children()  # and not five seconds after the error's traceback is forgotten
