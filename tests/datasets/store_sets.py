"""A small set as records and as tar shards, and the files of a folder as a server has them."""
import json

import numpy as np

from tests.datasets.archive_sets import converted, people

PEOPLE = {f'p{number:02}': 3 + number % 4 for number in range(12)}


def made(folder):
    """Folders of one set, ``records`` and ``tar``, below a folder."""
    source = people(folder / 'people', PEOPLE)
    for layout in ('records', 'tar'):
        converted(source, folder / layout, layout)
    return folder


def files_of(folder):
    """Path on a server to bytes."""
    return {f'/{file.relative_to(folder).as_posix()}': file.read_bytes() for file in folder.rglob('*')
            if file.is_file() and file.relative_to(folder).parts[0] != 'people'}


def same(one, other):
    """Whether two data sets are the same, sample by sample (bool)."""
    everything = list(range(len(one)))
    first, second = one.__getitems__(everything), other.__getitems__(everything)
    return (len(one) == len(other) and one.metainfo == other.metainfo and np.array_equal(one.labels, other.labels)
            and bool((first['images'] == second['images']).all()) and np.array_equal(first['labels'], second['labels'])
            and [one.key(i) for i in everything] == [other.key(i) for i in everything])


def with_shard(files, name):
    """The files of a server whose index names another shard."""
    content = json.loads(files['/tar/shards.json'])
    content['shards'][0]['name'] = name
    return {**files, '/tar/shards.json': json.dumps(content).encode()}
