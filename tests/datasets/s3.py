"""moto's S3 server on loopback, and a bucket in it; what imports this is skipped without them."""
from contextlib import contextmanager

import pytest

from mlaface.datasets.stores import store
from tests.libraries import required

INSTALL = 'pip install -c requirements/constraints.txt s3fs boto3 moto flask flask-cors py-partiql-parser'
required('s3fs', INSTALL)
server, boto3 = required('moto.server', INSTALL), required('boto3', INSTALL)
KEY, SECRET = 'AKIAEXAMPLE', 'very-secret-words'


@contextmanager
def s3_server(folder):
    """A server that the environment leads to, with its credentials and a cache below a folder; gives its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MLAFACE_CACHE', str(folder / 'cache'))
        patch.setenv('AWS_ACCESS_KEY_ID', KEY)
        patch.setenv('AWS_SECRET_ACCESS_KEY', SECRET)
        patch.setenv('AWS_DEFAULT_REGION', 'us-east-1')
        patch.setenv('AWS_CONFIG_FILE', str(folder / 'none'))
        patch.setenv('AWS_SHARED_CREDENTIALS_FILE', str(folder / 'none'))
        patch.setenv('AWS_EC2_METADATA_DISABLED', 'true')
        patch.setattr(store, '_systems', {})  # those of one environment
        started = server.ThreadedMotoServer('127.0.0.1', 0, verbose=False)
        started.start()
        try:
            address = 'http://{}:{}'.format(*started.get_host_and_port())
            patch.setenv('AWS_ENDPOINT_URL', address)
            yield address
        finally:
            started.stop()


@contextmanager
def filled(endpoint, files):
    """The bucket ``faces`` with files (path to bytes) below ``sets``; gives a client of the server."""
    client = boto3.client('s3', endpoint_url=endpoint)
    client.create_bucket(Bucket='faces')
    for path, data in files.items():
        client.put_object(Bucket='faces', Key=f'sets{path}', Body=data)
    yield client
    for found in client.list_objects_v2(Bucket='faces').get('Contents', []):
        client.delete_object(Bucket='faces', Key=found['Key'])
    client.delete_bucket(Bucket='faces')
