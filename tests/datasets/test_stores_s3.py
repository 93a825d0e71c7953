"""Sets in S3: moto's server on loopback, read as a bucket elsewhere is."""
import numpy as np
import pytest

from mlaface.datasets.sets.record_faces import RecordFaces
from mlaface.datasets.sets.tar_faces import TarFaces
from mlaface.datasets.stores import store
from mlaface.utils.errors import MissingDataError, StoreError
from tests.datasets.store_sets import files_of, made, same
from tests.libraries import required

INSTALL = 'pip install -c requirements/constraints.txt s3fs boto3 moto flask flask-cors py-partiql-parser'
required('s3fs', INSTALL)
server, boto3 = required('moto.server', INSTALL), required('boto3', INSTALL)
KEY, SECRET = 'AKIAEXAMPLE', 'very-secret-words'


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    return made(tmp_path_factory.mktemp('sets'))


@pytest.fixture
def endpoint(monkeypatch, tmp_path):
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', KEY)
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', SECRET)
    monkeypatch.setenv('AWS_DEFAULT_REGION', 'us-east-1')
    monkeypatch.setenv('AWS_CONFIG_FILE', str(tmp_path / 'none'))
    monkeypatch.setenv('AWS_SHARED_CREDENTIALS_FILE', str(tmp_path / 'none'))
    monkeypatch.setenv('AWS_EC2_METADATA_DISABLED', 'true')
    monkeypatch.setattr(store, '_systems', {})  # those of one environment
    started = server.ThreadedMotoServer('127.0.0.1', 0, verbose=False)
    started.start()
    address = 'http://{}:{}'.format(*started.get_host_and_port())
    monkeypatch.setenv('AWS_ENDPOINT_URL', address)
    yield address
    started.stop()


@pytest.fixture
def bucket(endpoint, sets):
    client = boto3.client('s3', endpoint_url=endpoint)
    client.create_bucket(Bucket='faces')
    for path, data in files_of(sets).items():
        client.put_object(Bucket='faces', Key=f'sets{path}', Body=data)
    yield client
    for found in client.list_objects_v2(Bucket='faces').get('Contents', []):
        client.delete_object(Bucket='faces', Key=found['Key'])
    client.delete_bucket(Bucket='faces')


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
