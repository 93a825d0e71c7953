"""Sets over http from a server on loopback: the same as local ones, whatever it does; a cache with an end."""
import multiprocessing
import os
import pickle
import signal
import time

import numpy as np
import pytest

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.sets.celeb_faces import CelebFaces
from mlaface.datasets.sets.mixed_faces import MixedFaces
from mlaface.datasets.sets.record_faces import RecordFaces
from mlaface.datasets.sets.tar_faces import TarFaces
from mlaface.datasets.stores import files as stored
from mlaface.datasets.stores.block_cache import STALE, BlockCache
from mlaface.datasets.stores.store import Head
from mlaface.registry import DATA_SAMPLERS
from mlaface.utils.errors import InputError, MissingDataError, StoreError
from tests.datasets.store_sets import files_of, made, same, with_shard
from tests.zoo.server import Faults, serve

pytest.importorskip('aiohttp')
KINDS = dict(records=RecordFaces, tar=TarFaces)
QUICK = dict(pause=0.01, timeout=9, attempts=3, block_kb=4, cache_gb=1e-3)


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    return made(tmp_path_factory.mktemp('sets'))


@pytest.fixture(scope='module')
def files(sets):
    return files_of(sets)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'stores'


def forget(stores):
    """Remove all blocks, which small sets leave whole when they are opened."""
    for path in (stores / 'blocks').rglob('*'):
        if path.is_file() and path.parent.name != 'locks':
            path.unlink()


def opened(address, kind='records', **settings):
    return KINDS[kind](dict(address=f'{address}/{kind}', **{**QUICK, **settings}))


@pytest.mark.parametrize('kind', KINDS)
def test_a_set_in_a_store_is_the_local_one(kind, sets, files):
    faults = Faults()
    with serve(files, faults) as address:
        remote = opened(address, kind)
        assert remote.remote and same(remote, KINDS[kind](str(sets / kind)))
        assert same(pickle.loads(pickle.dumps(remote)), remote)
        asked = len(faults.requests)
        again = opened(address, kind)
        assert same(again, remote) and again.further_labels(0).shape == (0,)
        assert address in remote.where(3)
        whole = [path for path, part, _ in faults.requests[asked:] if part != 'bytes=0-0']
        assert not whole, 'everything is in the cache'


def test_labels_of_records_are_found_without_the_images(sets, files, tmp_path):
    """By the identity records; by all images where these are not right."""
    local = RecordFaces(str(sets / 'records'))
    with serve(files) as address:
        assert opened(address).records._by_identities() is not None
    records = local.records
    damaged = bytearray(files['/records/train.rec'])
    damaged[records.offsets[-1] + 8 + 24] ^= 1  # the first image of the last identity, as its record states it
    with serve({**files, '/records/train.rec': bytes(damaged)}) as address:
        with pytest.warns(UserWarning, match='read once'):
            found = opened(address)
        assert np.array_equal(found.labels, local.labels)
        assert np.array_equal(opened(address).labels, local.labels), 'without a warning: it was kept'


def test_a_plain_address_and_a_mix_and_a_list(sets, files, tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_CACHE_GB', '0.5')
    with serve(files) as address:
        local = RecordFaces(str(sets / 'records'))
        plain = RecordFaces(f'{address}/records/train.rec')
        assert same(plain, local) and plain.records.file.cache.limit == 5 * 10**8
        mix = MixedFaces([dict(type='RecordFaces', data_root=f'{address}/records'),
                          dict(type='TarFaces', data_root=str(sets / 'tar'))])
        assert mix.remote and len(mix.__getitems__(list(range(len(mix))))['labels']) == len(mix)
        (tmp_path / 'out.txt').write_text('3\n')
        assert len(RecordFaces(f'{address}/records', exclude=str(tmp_path / 'out.txt'))) == len(local) - 1


def test_verification_sets_are_fetched_once(sets, files):
    from mlaface.datasets.formats.bin_set import write_bin
    from mlaface.datasets.sets.verification_sets import VerificationSets
    images = [RecordFaces(str(sets / 'records')).encoded(i)[1] for i in range(4)]
    write_bin(sets / 'pairs.bin', images, [True, False])
    faults = Faults()
    with serve({'/v/pairs.bin': (sets / 'pairs.bin').read_bytes()}, faults) as address:
        for _ in range(2):
            assert len(VerificationSets(['pairs'], dict(address=f'{address}/v', **QUICK))) == 4
        assert sum(part != 'bytes=0-0' for _, part, _ in faults.requests) == 1
        with pytest.raises(MissingDataError, match=f'{address}/v/lfw.bin is not there'):
            VerificationSets(['lfw'], dict(address=f'{address}/v', **QUICK))


# --- the cache --------------------------------------------------------------------------------------------------------


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob('*') if file.is_file() and file.parent.name != 'locks')


def test_a_set_larger_than_the_cache(sets, files, own_cache):
    local, block, faults = RecordFaces(str(sets / 'records')), 1 << 10, Faults()
    limit = 16 * (block + 40)
    assert len(files['/records/train.rec']) > 2 * limit
    with serve(files, faults) as address:
        remote = opened(address, block_kb=1, cache_gb=limit / 1e9)
        for batch in np.array_split(np.random.default_rng(0).permutation(len(local)), 8):
            one, other = remote.__getitems__(batch.tolist()), local.__getitems__(batch.tolist())
            assert (one['images'] == other['images']).all()
            assert size_of(own_cache / 'blocks') <= limit + 8


@pytest.mark.parametrize('kind, options, least, most', [
    ('EpochSampler', {}, 1.4, 3), ('BlockSampler', dict(block=6, window=1), 0.8, 1.3)])
def test_what_an_order_costs(kind, options, least, most, sets, files, monkeypatch):
    """Blocks that an epoch reads, over those of the set, with a third of it in the cache."""
    monkeypatch.setattr(stored, 'head', lambda address: Head(len(files[f'/records/{address.name}']), '1', True)
                        if f'/records/{address.name}' in files else (_ for _ in ()).throw(MissingDataError('none')))
    read = []
    monkeypatch.setattr(stored, 'read_range', lambda address, start, size, *_: read.append(size) or
                        files[f'/records/{address.name}'][start:start + size])
    faces = RecordFaces(dict(address='s3://b/records', block_kb=1, cache_gb=17e-6))
    sampler = DATA_SAMPLERS.build(dict(type=kind, dataset=faces, batch_size=4, **options))
    read.clear()
    draws = list(sampler)
    for start in range(0, len(draws), 4):
        faces.__getitems__(draws[start:start + 4])
    blocks = len(files['/records/train.rec']) / 1024
    share = len(read) / blocks
    assert least < share * (len(faces) / len(draws)) < most


def test_the_block_used_longest_ago_leaves_first(tmp_path):
    cache = BlockCache(10 * 104, tmp_path)
    for number in range(10):
        cache.put(f'f/{number}', bytes([number]) * 100)
        os.utime(tmp_path / f'f/{number}', (number, number))
    assert cache.read('f/0', 100, 3, 2) == b'\0\0'
    cache.put('f/10', bytes(100))
    assert sorted(int(path.name) for path in (tmp_path / 'f').iterdir()) == [0, *range(3, 11)]


def test_a_damaged_block_is_fetched_again(files, own_cache):
    with serve(files) as address:
        before = opened(address).__getitems__([0, 1])['images']
        blocks = [path for path in (own_cache / 'blocks').rglob('*') if path.is_file() and path.parent.name.isalnum()
                  and path.parent.name != 'locks' and path.name.isdigit()]
        for number, path in enumerate(sorted(blocks)):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data if number % 2 else data[:-5])
        assert blocks and (opened(address).__getitems__([0, 1])['images'] == before).all()


def _puts(folder):
    cache = BlockCache(10**6, folder)
    for number in range(10**9):
        cache.put(f'f/{number % 50}', os.urandom(20000))


def test_a_kill_leaves_no_half_block_under_its_name(tmp_path):
    context = multiprocessing.get_context('fork')
    for turn in range(8):
        child = context.Process(target=_puts, args=(tmp_path,))
        child.start()
        time.sleep(0.02 + 0.01 * turn)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    cache = BlockCache(10**6, tmp_path)
    names = [f'f/{path.name}' for path in (tmp_path / 'f').iterdir() if path.name.isdigit()]
    assert names and all(cache.read(name, 20000, 0, 9) for name in names)
    (tmp_path / 'f' / '.1.2.3.part').write_bytes(bytes(99))
    os.utime(tmp_path / 'f' / '.1.2.3.part', (time.time() - STALE - 9,) * 2)
    (tmp_path / 'total').write_bytes(b'torn')
    cache.put('f/60', bytes(20000))
    assert not (tmp_path / 'f' / '.1.2.3.part').exists() and size_of(tmp_path) <= 10**6 + 8


def test_a_full_disk_keeps_nothing_and_reads_on(files, monkeypatch, own_cache):
    with serve(files) as address:
        faces = opened(address)
        forget(own_cache)
        monkeypatch.setattr(os, 'replace', lambda *_: (_ for _ in ()).throw(OSError(28, 'No space left on device')))
        with pytest.warns(UserWarning, match='the disk is full'):
            assert faces[len(faces) - 1]['labels'] == faces.labels[-1]
    assert not list(own_cache.rglob('*.part'))


def _reads(faces, seed):
    order = np.random.default_rng(seed).permutation(len(faces)).tolist()
    assert [int(label) for label in faces.__getitems__(order)['labels']] == [int(faces.labels[i]) for i in order]


def test_processes_share_blocks_and_fetch_each_once(files):
    faults = Faults(always=dict(stall=0.01))
    with serve(files, faults) as address:
        faces = opened(address, timeout=5)
        context = multiprocessing.get_context('fork')
        children = [context.Process(target=_reads, args=(faces, seed)) for seed in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join(30)
        assert [child.exitcode for child in children] == [0, 0, 0]
        parts = [part for path, part, _ in faults.requests if path.endswith('.rec') and part != 'bytes=0-0']
        blocks = [part for part in parts if int(part[6:].partition('-')[0]) % 4096 == 0]
        assert len(set(blocks)) == len(blocks) == -(-len(files['/records/train.rec']) // 4096)


# --- stores that fail -------------------------------------------------------------------------------------------------


PASSING = [dict(cut=100), dict(stall=1.5), dict(status=503),
           *(pytest.param(fault, marks=pytest.mark.slow) for fault in (
               dict(status=429), dict(other_range=True), dict(length=90), dict(length=5000)))]


@pytest.mark.parametrize('fault', PASSING, ids=str)
def test_what_passes_is_tried_again(fault, files, sets, own_cache):
    with serve(files, faults := Faults()) as address:
        faces = opened(address, **(dict(timeout=0.7, attempts=5) if 'stall' in fault else {}))
        forget(own_cache)
        faults.faults = [fault, fault]
        assert same(faces, RecordFaces(str(sets / 'records')))


LASTING = [(dict(cut=100), r'3 attempts'), (dict(status=403), 'access is refused'),
           (dict(no_ranges=True), 'knows no ranges'), (dict(redirect='file:///etc/passwd'), 'a redirect leads to file'),
           (dict(body=b'<html>' * 9999, fields={'Content-Type': 'text/html; charset=utf-8'}), 'a page of HTML'),
           *(pytest.param(*case, marks=pytest.mark.slow) for case in [
               (dict(stall=1.5), 'no byte came for 0.7 seconds'), (dict(status=500), 'the server says 500'),
               (dict(status=404), 'not there any more'), (dict(redirect='/x'), 'without an end'),
               (dict(fields={'Content-Encoding': 'gzip'}), 'compresses')])]


@pytest.mark.parametrize('fault, message', LASTING, ids=lambda value: str(value)[:40])
def test_what_lasts_ends_in_a_line(fault, message, files, own_cache):
    """And is no bad image, which could be skipped."""
    with serve(files, faults := Faults()) as address:
        faces = RecordFaces(dict(address=f'{address}/records', **{**QUICK, 'timeout': 0.7 if 'stall' in fault else 9}),
                            on_bad_image='skip')
        forget(own_cache)
        faults.always = fault
        with pytest.raises(StoreError, match=message) as error:
            faces.__getitems__(list(range(len(faces))))
        assert str(error.value).startswith(f'{address}/records/train.rec') and '\n' not in str(error.value)
        assert faces.bad_images == 0 and error.value.__suppress_context__


def test_a_dead_server_ends_in_a_line(files, own_cache):
    with serve(files) as address:
        faces = opened(address)
    forget(own_cache)
    with pytest.raises(StoreError, match=r'train.rec cannot be read: .* \(3 attempts\)'):
        faces.__getitems__([0])


def test_redirects_within_the_web_are_followed(files, sets):
    with serve(files) as there, serve({f'/a{path}': b'' for path in files}, faults := Faults()) as here:
        faults.next = lambda handler: dict(redirect=there + handler.path.removeprefix('/a') + '?signature=SECRET')
        assert same(opened(f'{here}/a'), RecordFaces(str(sets / 'records')))
        faults.next = lambda handler: dict(redirect=f'{there}/none?signature=SECRET')
        with pytest.raises(MissingDataError) as error:
            opened(f'{here}/b')
        assert 'SECRET' not in str(error.value)


def test_a_set_that_is_not_there(files):
    with serve(files) as address:
        with pytest.raises(MissingDataError, match=f'{address}/none/records/train.rec is not there'):
            opened(f'{address}/none')
        with pytest.raises(MissingDataError, match='verify --write-index'):
            TarFaces(dict(address=f'{address}/records', **QUICK))
        with pytest.raises(MissingDataError, match=f'^{address}/people.tsv is not there$'):
            CelebFaces(f'{address}/people.tsv')


def test_a_page_in_place_of_an_index_is_no_index(files):
    page = b'<html>please log in</html>'
    with serve({**files, '/records/train.idx': page, '/tar/shards.json': page}) as address:
        with pytest.raises(FormatError, match='not an index'):
            opened(address)
        with pytest.raises(FormatError, match='no index of shards'):
            opened(address, 'tar')


def test_an_index_of_another_version_is_told(files):
    with serve({**files, '/tar/shard-000000.tar': files['/tar/shard-000000.tar'] + bytes(512)}) as address:
        faces = opened(address, 'tar')
        with pytest.raises(StoreError, match='they are of two versions'):
            faces.__getitems__([0])
    with serve({path: data for path, data in files.items() if not path.endswith('.tar')}) as address:
        faces = opened(address, 'tar')
        with pytest.raises(StoreError, match='shard-000000.tar is not there, though shards.json names it'):
            faces.__getitems__([0])


@pytest.mark.parametrize('name', ['file:///etc/passwd', '/etc/passwd', '../records/train.rec', 's3://other/x.tar',
                                  'a/../../x', 'x?y', 'http://127.0.0.1/x', ''])
def test_an_index_leads_nowhere_else(name, files):
    with serve(with_shard(files, name), faults := Faults()) as address:
        with pytest.raises(FormatError, match='is not followed'):
            opened(address, 'tar')
        assert all(path.startswith('/tar/') for path, _, _ in faults.requests)


@pytest.mark.parametrize('address', ['https://me:SECRET@host/set', 's3://key:SECRET@bucket/set',
                                     'https://host/set?X-Amz-Signature=SECRET', 'https://host/set#SECRET',
                                     'https://[SECRET@host/set'])
def test_an_address_holds_no_secret_and_none_is_shown(address):
    with pytest.raises(InputError, match='no user, password, query or fragment') as error:
        RecordFaces(address)
    assert 'SECRET' not in str(error.value)


@pytest.mark.parametrize('stated, message', [
    ('file:///data/set', 'file:// is no store'), ('simplecache::s3://bucket/x', 'is no store'), ('ftp://h/x', 'ftp://'),
    (dict(address='s3://b/x', options=dict(key='SECRET')), 'never from a config'), (dict(address='s3://b', x=3), 'x:'),
    (dict(address='s3://b/x', cache_gb=1e-9), 'holds no 16 blocks'), (dict(address='s3://b/x', attempts=0), 'above 0'),
    (dict(address='s3://b/x', timeout='long'), 'timeout'), (dict(), 'address=...'), ('https:///x', 'names no host'),
    (dict(address='s3://b/x', options=dict(endpoint_url='http://me:SECRET@host')), 'no user')])
def test_what_is_no_store_is_refused(stated, message):
    with pytest.raises(InputError, match=message) as error:
        RecordFaces(stated)
    assert 'SECRET' not in str(error.value)


def test_a_limit_that_is_none(monkeypatch):
    monkeypatch.setenv('MLAFACE_CACHE_GB', 'much')
    with pytest.raises(InputError, match="MLAFACE_CACHE_GB is 'much'"):
        RecordFaces('https://host/set')
