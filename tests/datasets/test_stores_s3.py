"""Sets in S3: moto's server on loopback, read as a bucket elsewhere is."""
import numpy as np
import pytest

from mlaface.datasets.sets.record_faces import RecordFaces
from mlaface.datasets.sets.tar_faces import TarFaces
from mlaface.datasets.stores import store
from mlaface.utils.errors import MissingDataError, StoreError
from tests.datasets.s3 import KEY, SECRET, filled, s3_server
from tests.datasets.store_sets import files_of, made, same


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    return made(tmp_path_factory.mktemp('sets'))


@pytest.fixture
def endpoint(tmp_path):
    with s3_server(tmp_path) as address:
        yield address


@pytest.fixture
def bucket(endpoint, sets):
    with filled(endpoint, files_of(sets)) as client:
        yield client


def stated(path, **settings):
    return dict(address=f's3://faces/{path}', **dict(pause=0.01, timeout=9, attempts=2, block_kb=4, cache_gb=1e-3),
                **settings)


@pytest.mark.parametrize('kind, name', [(RecordFaces, 'records'), (TarFaces, 'tar')])
def test_a_set_in_a_bucket_is_the_local_one(kind, name, bucket, sets):
    remote = kind(stated(f'sets/{name}'))
    assert same(remote, kind(str(sets / name))) and same(kind(stated(f'sets/{name}')), remote)
    assert same(kind(f's3://faces/sets/{name}'), remote)


def test_workers_read_a_bucket(bucket, sets):
    from mlaface.datasets.collate import collate_images
    from mlaface.engine.loader import FaceLoader
    remote = RecordFaces(stated('sets/records'))
    labels = [batch['labels'] for batch in FaceLoader(remote, num_workers=2, batch_size=8, collate_fn=collate_images)]
    assert np.array_equal(np.concatenate(labels), remote.labels)


def test_what_is_wrong_with_a_bucket_is_said_without_its_keys(bucket, endpoint, monkeypatch):
    said = []
    for address in ('s3://faces/none', 's3://nobody/sets/records'):
        with pytest.raises(MissingDataError, match=f'{address}/train.rec is not there') as error:
            RecordFaces(dict(stated(''), address=address))
        said.append(str(error.value))
    faces = RecordFaces(stated('sets/records', options=dict(endpoint_url=endpoint)))
    faces.records.file.cache.folder = faces.records.file.cache.folder / 'other'
    bucket.delete_object(Bucket='faces', Key='sets/records/train.rec')
    with pytest.raises(StoreError, match='is not there any more') as error:
        faces.__getitems__([0])
    said.append(str(error.value))
    monkeypatch.delenv('AWS_ACCESS_KEY_ID')
    monkeypatch.delenv('AWS_SECRET_ACCESS_KEY')
    monkeypatch.setattr(store, '_systems', {})
    with pytest.raises(StoreError, match=r'(?i)credentials') as error:
        RecordFaces(dict(stated('sets/records'), timeout=8))
    said.append(str(error.value))
    assert not any(KEY in text or SECRET in text for text in said)


def test_a_server_that_is_gone_ends_in_a_line(bucket, monkeypatch):
    monkeypatch.setenv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9')
    monkeypatch.setattr(store, '_systems', {})
    with pytest.raises(StoreError, match=r'sets/records/train.rec cannot be read: .*\(2 attempts\)') as error:
        RecordFaces(dict(stated('sets/records'), timeout=7))
    assert '\n' not in str(error.value)
