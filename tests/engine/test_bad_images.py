"""A run over images that cannot be used ends in one line that names the file, wherever the image is read."""
import re

import numpy as np
import pytest

from mlaface.cli.main import main
from mlaface.datasets.formats.jpeg import encode
from tests.engine.toy import TEXT, config_file
from tests.tools.test_training_tools import call

PEOPLE, EACH = 5, 6


def image(size):
    return encode(np.random.default_rng(size).integers(0, 256, (size, size, 3), np.uint8))


def folder(root, last):
    """Five people; ``last`` is the last image of the last one."""
    for person in range(PEOPLE):
        (root / f'p{person}').mkdir(parents=True)
        for number in range(EACH):
            (root / f'p{person}' / f'{number}.jpg').write_bytes(image(8))
    (root / f'p{PEOPLE - 1}' / f'{EACH - 1}.jpg').write_bytes(last)


@pytest.fixture
def config(tmp_path):
    text = TEXT.replace("dataset=dict(type='ToyFaces')",
                        f"dataset=dict(type='FolderFaces', data_root={str(tmp_path / 'people')!r}, image_size=(8, 8))")
    return config_file(tmp_path, text.replace("collate_fn=dict(type='toy_collate'), dataset=dict(type='Folder",
                                              "dataset=dict(type='Folder").replace('batch_size=8', 'batch_size=3'))


@pytest.mark.parametrize('workers', [0, 1, 2])
@pytest.mark.parametrize('last, message', [(image(257), 'image of 257x257 pixels where 8x8'),
                                           (image(100)[:900], 'JPEG of 900 bytes cannot be decoded')],
                         ids=['large', 'torn'])
def test_an_image_that_cannot_be_used_ends_training_in_a_line(tmp_path, config, workers, last, message):
    folder(tmp_path / 'people', last)
    with pytest.raises(SystemExit) as end:
        main(['train', str(config), '--work-dir', str(tmp_path / 'run'), '--cfg-options',
              f'train_dataloader.num_workers={workers}'])
    assert re.fullmatch(rf"error: \S*/p4/5.jpg: {message}.*on_bad_image='skip'[^\n]*", end.value.code)


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_of_two_ranks_the_one_that_meets_it_says_so(tmp_path, config, workers):
    folder(tmp_path / 'people', image(257))
    done = call('tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'run', '--seed', '0', '--cfg-options',
                f'train_dataloader.num_workers={workers}')
    said = [line for line in done.stderr.splitlines() if line.startswith(('error', 'rank', 'Traceback'))]
    assert done.returncode == 1 and len(said) == 2 and 'p4/5.jpg: image of 257x257' in said[0], done.stderr
