"""Folders of images, lists, LMDB and parquet behind http and S3, from servers on loopback: the same as local ones."""
import io
import itertools
import json
import pickle
import shutil
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest

from mlaface.cli.align import main as align
from mlaface.cli.data import main
from mlaface.datasets.collate import collate_images
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.prepare.inspect import open_set
from mlaface.datasets.prepare.kept_rows import set_hash
from mlaface.datasets.sets.celeb_faces import CelebFaces
from mlaface.datasets.sets.folder_faces import FolderFaces
from mlaface.datasets.sets.folder_pairs import FolderPairs
from mlaface.datasets.sets.listed_faces import ListedFaces
from mlaface.datasets.sets.lmdb_faces import LmdbFaces
from mlaface.datasets.sets.parquet_faces import ParquetFaces
from mlaface.datasets.stores import files as stored
from mlaface.datasets.stores import listing, store
from mlaface.datasets.stores.address import store_address
from mlaface.datasets.stores.errors import ChangedError, RefusedError
from mlaface.engine.loader import FaceLoader
from mlaface.registry import DATA_SAMPLERS
from mlaface.utils.errors import FullDiskError, InputError, MissingDataError, StoreError
from mlaface.utils.executors.local import LocalExecutor
from tests.datasets.archive_sets import content, converted, face, people, table_row
from tests.datasets.s3 import filled, s3_server
from tests.datasets.store_sets import same
from tests.datasets.test_stores import size_of
from tests.datasets.test_stores_by_commands import told
from tests.zoo.server import Faults, serve

pytest.importorskip('aiohttp')
COUNTS = {'Ann': 3, 'bob': 1, 'Ärger 名': 4, 'a+b %2F': 2}
KINDS = dict(people=FolderFaces, list=ListedFaces, lmdb=LmdbFaces, parquet=ParquetFaces, table=CelebFaces)
PLACES = dict(list='people/images.lst', table='people.tsv')
QUICK = dict(pause=0.01, timeout=9, attempts=2, block_kb=4, cache_gb=1e-3)


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    """Folder of one set in the layouts: ``people`` with its list, ``lmdb``, ``parquet`` in two files, a table."""
    folder = tmp_path_factory.mktemp('sets')
    source = people(folder / 'people', COUNTS)
    for layout, options in (('lmdb', {}), ('parquet', dict(options=dict(rows=7)))):
        converted(source, folder / layout, layout, **options)
    for name in ('people', 'parquet'):
        with pytest.raises(SystemExit):
            main(['verify', str(folder / name), '--write-index'])
    faces = FolderFaces(str(source))
    (folder / PLACES['table']).write_text(''.join(
        table_row(*faces.key(index).split('/'), index, faces.encoded(index)[1]) for index in range(len(faces))))
    return folder


@pytest.fixture(scope='module')
def files(sets):
    return {f'/{file.relative_to(sets).as_posix()}': file.read_bytes() for file in sets.rglob('*') if file.is_file()}


@pytest.fixture(scope='module')
def bucket(files, tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp('server')) as endpoint, filled(endpoint, files) as client:
        yield client


@pytest.fixture
def web(files):
    with serve({quote(path, safe='/+'): data for path, data in files.items()}, faults := Faults()) as address:
        yield address, faults


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'stores'


def local(sets, kind):
    return KINDS[kind](str(sets / PLACES.get(kind, kind)))


def opened(address, kind, **settings):
    return KINDS[kind](dict(address=f'{address}/{PLACES.get(kind, kind)}', **{**QUICK, **settings}))


@pytest.mark.parametrize('kind', KINDS)
def test_a_set_in_a_bucket_is_the_local_one(kind, bucket, sets):
    remote = opened('s3://faces/sets', kind)
    assert same(remote, local(sets, kind)) and same(pickle.loads(pickle.dumps(remote)), remote)


@pytest.mark.parametrize('kind', KINDS)
def test_a_set_behind_http_is_the_local_one(kind, web, sets):
    address, faults = web
    remote, other = opened(address, kind), local(sets, kind)
    assert same(remote, other) and type(open_set(f'{address}/{PLACES.get(kind, kind)}')) is KINDS[kind]
    asked = len(faults.requests)
    assert same(pickle.loads(pickle.dumps(remote)), other)
    assert all(part == 'bytes=0-0' for _, part, _ in faults.requests[asked:]), 'everything is in the cache'


def test_rows_of_parquet_have_the_numbers_of_a_local_folder(sets, tmp_path, capsys):
    """Files in the order of paths, not of characters; those of the training part; names with blanks and %."""
    one, other = sorted((sets / 'parquet/data').iterdir())
    for name, file in (('a/train.1 %.parquet', one), ('a-b/train.parquet', other), ('a/test.parquet', other)):
        (tmp_path / 'set/data' / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / 'set/data' / name)
    (tmp_path / 'set/data/train.parquet').symlink_to(one)
    with pytest.raises(SystemExit) as end:
        main(['verify', str(tmp_path / 'set'), '--write-index'])
    assert not end.value.code and 'images.lst: 3 parquet files' in capsys.readouterr().out
    with serve({f'/{quote(file.relative_to(tmp_path).as_posix())}': file.read_bytes()
                for file in tmp_path.rglob('set/**/*') if file.is_file()}) as address:
        assert same(open_set(f'{address}/set'), open_set(tmp_path / 'set'))
        (tmp_path / 'set/images.lst').write_text('0\t0\tdata/none.parquet\n')
    with (serve({'/set/images.lst': (tmp_path / 'set/images.lst').read_bytes()}) as address,
          pytest.raises(MissingDataError, match=f'^{address}/set/data/none.parquet is not there')):
        open_set(f'{address}/set')


def test_parquet_as_the_hub_converts_sets(sets, tmp_path):
    """``CONFIG/SPLIT/0000.parquet``: of one configuration the training part, on this machine and behind http."""
    one, other = sorted((sets / 'parquet/data').iterdir())
    for name, file in (('train/0000', one), ('train/0001', other), ('test/0000', other)):
        (tmp_path / 'set/default' / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / 'set/default' / f'{name}.parquet')
    (tmp_path / 'set/README.md').write_text('# a set')
    whole = open_set(sets / 'parquet')
    for path in ('set', 'set/default', 'set/default/train'):
        assert type(open_set(tmp_path / path)) is ParquetFaces and same(open_set(tmp_path / path), whole)
    names = '\n'.join(f'{number}\t0\tdefault/{name}.parquet' for number, name in enumerate(
        ['test/0000', 'train/0001', 'train/0000']))
    files = {f'/{file.relative_to(tmp_path).as_posix()}': file.read_bytes() for file in tmp_path.rglob('*.parquet')}
    with serve({**files, '/set/images.lst': names.encode()}) as address:
        assert same(open_set(f'{address}/set'), whole)
    (tmp_path / 'set/default/train').rename(tmp_path / 'set/default/partial-train')
    assert same(open_set(tmp_path / 'set'), whole)
    shutil.copytree(tmp_path / 'set/default', tmp_path / 'set/small')
    with pytest.raises(InputError, match=r'2 configurations of a set \(default, small\).* such as .*set/default$'):
        open_set(tmp_path / 'set')
    assert same(open_set(tmp_path / 'set/small'), whole)


def test_of_parquet_row_groups_that_are_needed_are_read(own_cache):
    """Classes by reads of their own, past the cache; of the images those of a group."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    images = [np.random.default_rng(number).bytes(40_000) for number in range(8)]
    table = pa.table(dict(image=[dict(bytes=image, path='') for image in images], label=[0, 0, 1, 1, 2, 2, 3, 3]))
    pq.write_table(table, out := io.BytesIO(), row_group_size=2, compression='none', use_dictionary=False)
    with serve({'/train.parquet': out.getvalue()}, faults := Faults()) as address:
        faces = ParquetFaces(dict(address=f'{address}/train.parquet', **QUICK))
        assert faces.labels.tolist() == table['label'].to_pylist() and not size_of(own_cache / 'blocks')
        assert faces.encoded(4)[1] == images[4] and 2 * 40_000 < size_of(own_cache / 'blocks') < 200_000
        asked = len(faults.requests)
        assert faces.encoded(5)[1] == images[5] and len(faults.requests) == asked, 'of the same group'
        assert pickle.loads(pickle.dumps(faces)).encoded(4)[1] == images[4]
        faces.archive.stored[faces.root].cache.folder = own_cache / 'other'
        faults.always = dict(status=503)
        with pytest.raises(StoreError, match=r'train.parquet cannot be read: the server says 503 \(2 attempts\)'):
            faces.encoded(0)


# --- what commands and protocols take ---------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', KINDS)
def test_what_is_found_of_a_set_in_a_bucket_is_what_is_found_of_a_local_one(kind, bucket, sets, capsys, tmp_path):
    name, found = PLACES.get(kind, kind), []
    for place in (sets / name, f's3://faces/sets/{name}'):
        out = tmp_path / str(len(found))
        for verb, more in (('verify', ()), ('inspect', ()), ('dedupe', ['--by', 'bytes', '--out', out])):
            status, summary = told(capsys, verb, place, *more)
            summary.pop('seconds', None)
            found.append((status, json.dumps(summary).replace(str(place), 'SET').replace(str(out), 'OUT')))
    assert found[:3] == found[3:]


def test_a_folder_in_a_bucket_is_converted_as_a_local_one(bucket, sets, tmp_path):
    for name, source in (('local', sets / 'people'), ('stored', 's3://faces/sets/people')):
        converted(source, tmp_path / name, 'records')
    one, other = content(tmp_path / 'local'), content(tmp_path / 'stored')
    assert json.loads(other.pop('summary.json'))['source'] == 's3://faces/sets/people' and one.pop('summary.json')
    assert one == other


def test_photographs_in_a_store_are_aligned_as_local_ones(bucket, sets, tmp_path):
    """By a detector that finds the whole picture; in a bucket folders of any depth, hidden ones passed over."""
    plugin, listed = ('--detector', 'whole', '--import', 'tests.utils.pieced_detector'), tmp_path / 'list'
    shutil.copytree(sets / 'people', tmp_path / 'people')
    (tmp_path / 'people/Ann/torn.jpg').write_bytes(b'no image')
    shutil.copytree(tmp_path / 'people', listed)
    with pytest.raises(SystemExit):
        main(['verify', str(listed), '--write-index'])
    for name in ('Ann/more/1.tif', 'Ann-/.hidden/2.jpg', 'Ann-/3.jpg'):
        (file := tmp_path / 'people' / name).parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(face(9))
    for name, data in content(tmp_path / 'people').items():
        bucket.put_object(Bucket='faces', Key=f'photos/{name}', Body=data)
    web = {f'/list/{quote(name, safe="/+")}': data for name, data in content(listed).items()}
    with serve(web, faults := Faults(dict(status=503))) as address:
        answered = iter(range(9))
        faults.next = lambda handler: {} if next(answered, None) is not None else dict(status=403)
        with pytest.raises(SystemExit, match=f'{address}/list/.*: access is refused'):
            align([f'{address}/list', str(tmp_path / 'list-1'), *plugin])
        del faults.next
        assert 0 < len((tmp_path / 'list-1/align.jsonl').read_text().splitlines()) - 1 < 10
        for local, stored in ((tmp_path / 'people', 's3://faces/photos'), (listed, f'{address}/list')):
            outs = [tmp_path / f'{local.name}-{number}' for number in range(3)]
            assert align([str(local), str(outs[0]), *plugin]) == align([stored, str(outs[1]), *plugin]) == 1
            align([stored, str(outs[2]), *plugin, '--executor', 'local', '--executor-options', 'processes=1'])
            one, other, pieced = (faces_and_fates(out) for out in outs)
            assert one == other == pieced and len(one) > 10
        assert f'src="{address}/list/Ann/torn.jpg"' in (tmp_path / 'list-1/dropped.html').read_text()


def faces_and_fates(out):
    """What aligned photographs became, without the paths of what is wrong with some and of the log's head."""
    found = content(out)
    found.pop('dropped.html')
    lines = map(json.loads, found.pop('align.jsonl').splitlines())
    return {**found, 'lines': [{**line, 'detail': None, 'photographs': None} for line in lines]}


def test_photographs_of_a_bucket_are_packed_as_local_ones(bucket, sets, tmp_path):
    for name, source in (('local', sets / 'people'), ('stored', 's3://faces/sets/people')):
        main(['pack', str(source), str(tmp_path / name), '--align', '--detector', 'whole', '--import',
              'tests.utils.pieced_detector'])
    one, other = content(tmp_path / 'local'), content(tmp_path / 'stored')
    assert json.loads(other.pop('summary.json'))['source'] == 's3://faces/sets/people' and one.pop('summary.json')
    assert one == other


def test_pairs_of_people_in_a_store(bucket, web, sets):
    expected = FolderPairs(str(sets / 'people'), pairs=8)
    for root in ('s3://faces/sets/people', f'{web[0]}/people'):
        pairs = FolderPairs(root, pairs=8)
        assert pairs.remote and list(pairs.metainfo['benchmarks']) == ['people']
        assert (pairs.__getitems__([0, 5])['images'] == expected.__getitems__([0, 5])['images']).all()


def test_a_list_leaves_out_of_a_bucket_what_it_does_of_a_folder(bucket, sets, tmp_path):
    (tmp_path / 'out.txt').write_text('Ann/0.a.jpg\nÄrger 名/2.a.jpg\n', encoding='utf-8')
    one, other = (FolderFaces(root, exclude=str(tmp_path / 'out.txt')) for root in (
        's3://faces/sets/people', str(sets / 'people')))
    assert len(one) == 8 and same(one, other)


def test_lists_in_stores_leave_out_what_local_ones_do(bucket, sets, tmp_path, own_cache):
    lists = {'/a.txt': b'Ann/0.a.jpg\n', '/b c.txt': 'Ärger 名/2.a.jpg\r\n'.encode()}
    for path, data in lists.items():
        (tmp_path / path[1:]).write_bytes(data)
    bucket.put_object(Bucket='faces', Key='sets/lists/a.txt', Body=lists['/a.txt'])
    expected = FolderFaces(str(sets / 'people'), exclude=[str(tmp_path / path[1:]) for path in lists])
    with serve({quote(path): data for path, data in lists.items()}, faults := Faults(dict(status=503))) as address:
        second = dict(address=f'{address}/b c.txt', **QUICK)
        found = FolderFaces(str(sets / 'people'), exclude=['s3://faces/sets/lists/a.txt', second])
        assert len(found) == 8 and same(found, expected) and not found.remote
        assert len(FolderFaces(str(sets / 'people'), exclude=second)) == 9
        assert sum(part != 'bytes=0-0' for _, part, _ in faults.requests) == 1, 'fetched once, after an attempt'


def test_commands_take_lists_from_stores(sets, tmp_path):
    groups = ''.join(f'{name}\t{number % 2}\n' for number, name in enumerate(COUNTS)).encode()
    lists = {'/out.txt': b'Ann/0.a.jpg\nAnn/2.a.jpg\n', '/groups.tsv': groups}
    for path, data in lists.items():
        (tmp_path / path[1:]).write_bytes(data)
    with serve(lists) as address:
        nodes = dict(executor=LocalExecutor(processes=1), piece_size=8)
        for name, place, options in (('local', tmp_path, {}), ('stored', address, nodes)):
            converted(sets / 'people', tmp_path / name, 'tar', exclude=[f'{place}/out.txt'], **options)
            main(['split', str(sets / 'people'), '--out', str(tmp_path / f'split-{name}'), '--shares', 'a=0.5,b=0.5',
                  '--groups', f'{place}/groups.tsv'])
    assert content(tmp_path / 'local') == content(tmp_path / 'stored')
    one, other = content(tmp_path / 'split-local'), content(tmp_path / 'split-stored')
    assert one.pop('summary.json') and other.pop('summary.json') and one == other


def test_a_list_that_a_store_lacks_is_a_line(bucket, sets, capsys):
    with serve({'/odd.txt': b'caf\xe9'}) as address:
        for place in (f'{address}/none.txt', 's3://faces/sets/none.txt'):
            with pytest.raises(MissingDataError, match=f'^no list of images to leave out at {place}$'):
                FolderFaces(str(sets / 'people'), exclude=place)
        with pytest.raises(FormatError, match=f'^{address}/odd.txt is not UTF-8'):
            FolderFaces(str(sets / 'people'), exclude=f'{address}/odd.txt')
        with pytest.raises(SystemExit, match=f'{address}/none.tsv is not there: expected are lines IDENTITY<tab>GROUP'):
            main(['pairs', str(sets / 'people'), '--out', 'nowhere', '--groups', f'{address}/none.tsv'])


def test_workers_read_images_in_their_order(bucket, sets):
    remote, other = opened('s3://faces/sets', 'people'), local(sets, 'people')
    sampler = DATA_SAMPLERS.build(dict(type='EpochSampler', dataset=other, batch_size=2, seed=3))
    draws = list(itertools.islice(sampler, 10))
    loader = FaceLoader(remote, num_workers=2, batch_size=2, sampler=draws, collate_fn=collate_images)
    labels = np.concatenate([batch['labels'] for batch in loader])
    assert labels.tolist() == [other[draw]['labels'] for draw in draws]


def test_another_version_of_a_set_is_another_set(bucket, sets):
    roots = [f's3://faces/sets/{name}' for name in ('people', 'parquet', 'lmdb', *PLACES.values())]
    hashes = [set_hash(root, open_set(root)) for root in roots]
    assert hashes == [set_hash(root, open_set(root)) for root in roots] and len(set(hashes)) == 5


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_bucket_holds_more_than_images(bucket, own_cache):
    for key in ('a/1.jpg', 'a/.2.jpg', 'a/deep/2.jpg', 'a/x:y.jpg', 'a/phone.heic', 'empty/', '0.jpg', 'a-b/3.JPG'):
        bucket.put_object(Bucket='faces', Key=f'sets/odd/{key}', Body=b'' if key.endswith('/') else face(3))
    with pytest.warns(UserWarning, match='4 images are passed over|1 of 3 folders hold no image'):
        faces = FolderFaces('s3://faces/sets/odd')
    assert faces.metainfo['classes'] == ('a', 'a-b', 'empty')
    assert [faces.key(index) for index in range(len(faces))] == ['a/1.jpg', 'a-b/3.JPG']
    assert {key for key, _, _ in faces.passed_over} == {'0.jpg', 'a/deep/2.jpg', 'a/x:y.jpg', 'a/phone.heic'}
    with pytest.raises(FormatError, match='has no level of identities: expected is s3://faces/sets/odd/a-b/ID'):
        FolderFaces('s3://faces/sets/odd/a-b')
    with pytest.raises(MissingDataError, match='no file at s3://faces/sets/none'):
        FolderFaces('s3://faces/sets/none')
    bucket.create_bucket(Bucket='top')
    bucket.put_object(Bucket='top', Key='a/1.jpg', Body=face(3))
    assert FolderFaces('s3://top').encoded(0)[1] == face(3)


def test_an_image_that_changed_is_told_and_the_folder_listed_anew(bucket):
    def put(number):
        bucket.put_object(Bucket='faces', Key='sets/changing/a/1.jpg', Body=face(number))
    put(1)
    faces = FolderFaces('s3://faces/sets/changing', on_bad_image='skip')
    put(2)
    with pytest.raises(ChangedError, match='changing/a/1.jpg has become another file .* is listed anew'):
        faces[0]
    assert FolderFaces('s3://faces/sets/changing').encoded(0)[1] == face(2)
    faces = FolderFaces('s3://faces/sets/changing')
    put(3)
    bucket.delete_object(Bucket='faces', Key='sets/changing/a/1.jpg')
    assert faces.encoded(0)[1] == face(2), 'which is in the cache'
    shutil.rmtree(faces.images.cache.folder)
    with pytest.raises(ChangedError, match='changing/a/1.jpg is not there any more.* is listed anew'):
        faces[0]


def test_a_long_listing_is_kept_and_says_how_far_it_is(monkeypatch, own_cache):
    asked = []

    def page(folder, token=None):
        asked.append(token)
        number = int(token or 0)
        return [(f'p{number}/{image}.jpg', 5, f'"{image}"') for image in '21'], str(number + 1) if number < 3 else None
    monkeypatch.setattr(listing, 'list_page', page)
    monkeypatch.setattr(stored, 'SILENCE', 0)
    with pytest.warns(UserWarning, match='2 files are listed so far'):
        first = listing.list_folder(store_address('s3://b/set'))
    assert asked == [None, '1', '2', '3'] and first.names.tolist()[:3] == [b'p0/1.jpg', b'p0/2.jpg', b'p1/1.jpg']
    monkeypatch.setattr(listing, 'BELIEVED', 1e9)
    monkeypatch.setattr(listing, 'OLD', -1)
    with pytest.warns(UserWarning, match='its 8 files are taken as they were listed'):
        again = listing.list_folder(store_address('s3://b/set'))
    assert again.version == first.version and len(asked) == 4
    first.kept.write_bytes(b'torn')
    assert listing.list_folder(store_address('s3://b/set')).version == first.version and len(asked) == 8
    monkeypatch.setattr(listing, 'BELIEVED', 0)
    listing.list_folder(store_address('s3://b/set'))
    assert len(asked) == 12


def test_a_folder_larger_than_the_cache(bucket, sets, own_cache):
    other, limit = local(sets, 'people'), 16 * 1024
    remote = opened('s3://faces/sets', 'people', block_kb=1, cache_gb=limit / 1e9)
    for _ in range(2):
        for number in range(50):
            place = number % len(remote)
            assert remote.encoded(place)[1] == other.encoded(place)[1]
            assert size_of(own_cache / 'blocks') <= limit + 8


def test_a_web_server_needs_no_ranges_for_small_images(files, sets):
    plain = {quote(path, safe='/+'): data for path, data in files.items()}
    with serve(plain, Faults(always=dict(no_ranges=True))) as address:
        assert same(opened(address, 'people'), local(sets, 'people'))
        name = 'parquet/data/train-00001.parquet'
        whole = {**QUICK, 'block_kb': 64, 'cache_gb': 2e-3}
        assert same(ParquetFaces(dict(address=f'{address}/{name}', **whole)), ParquetFaces(str(sets / name)))
        with pytest.raises(StoreError, match='knows no ranges'):
            ParquetFaces(dict(address=f'{address}/parquet/data/train-00000.parquet', **QUICK))


def test_what_cannot_be_listed_says_what_to_do(web, bucket, monkeypatch, tmp_path):
    address, _ = web
    with pytest.raises(MissingDataError, match='images.lst is not there.*cannot be listed.*verify .* --write-index'):
        FolderFaces(f'{address}/lmdb')
    with pytest.raises(MissingDataError, match='parquet/data/images.lst is not there.*verify .* --write-index'):
        ParquetFaces(f'{address}/parquet/data')
    with pytest.raises(MissingDataError, match='no set at .*/nothing: of a store .* behind http, with images.lst'):
        open_set(f'{address}/nothing')
    with pytest.raises(SystemExit, match='images.lst is not there.*cannot be listed'):
        main(['pack', f'{address}/lmdb', str(tmp_path / 'out'), '--align'])
    with pytest.raises(SystemExit, match='no file at s3://faces/sets/none'):
        align(['s3://faces/sets/none', str(tmp_path / 'faces')])
    monkeypatch.setattr(listing, 'list_page', lambda *_: (_ for _ in ()).throw(RefusedError('s3://faces: refused')))
    with pytest.raises(RefusedError, match='s3://faces: refused.*give images.lst beside them to ListedFaces'):
        FolderFaces('s3://faces/sets/people')


@pytest.mark.parametrize('name', ['/etc/passwd', '../x.jpg', 'http://127.0.0.1/x', 'a?b.jpg'])
def test_a_list_leads_nowhere_else(name):
    with serve({'/set/images.lst': f'0\t0\t{name}\n'.encode()}, faults := Faults()) as address:
        with pytest.raises(FormatError, match='is not followed'):
            ListedFaces(f'{address}/set/images.lst')
        with pytest.raises(FormatError, match='none of its images can be read|holds no image'):
            FolderFaces(f'{address}/set')
        assert {path for path, _, _ in faults.requests} <= {'/set/images.lst', '/set/classes.txt'}


# --- servers that fail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('fault', [
    dict(cut=100), dict(status=503), pytest.param(dict(stall=1.5), marks=pytest.mark.slow)], ids=str)
def test_what_passes_is_tried_again(fault, web, sets):
    address, faults = web
    faces = opened(address, 'people', timeout=0.7 if 'stall' in fault else 9, attempts=4)
    faults.faults = [fault, fault]
    assert same(faces, local(sets, 'people'))


@pytest.mark.parametrize('fault, message', [
    (dict(cut=100), '2 attempts'), (dict(status=403), 'access is refused'), (dict(status=404), 'though its list names'),
    (dict(body=b'<html>' * 999, fields={'Content-Type': 'text/html'}), 'a page of HTML')], ids=lambda it: str(it)[:40])
def test_what_lasts_ends_in_a_line_and_is_no_bad_image(fault, message, web):
    address, faults = web
    faces = FolderFaces(dict(address=f'{address}/people', **QUICK), on_bad_image='skip')
    faults.always = fault
    with pytest.raises(StoreError, match=message) as error:
        faces.__getitems__([0, 1, 2])
    assert str(error.value).startswith(f'{address}/people/Ann/') and '\n' not in str(error.value)
    assert faces.bad_images == 0


def test_a_bucket_that_is_gone_ends_in_a_line(bucket, monkeypatch):
    faces = opened('s3://faces/sets', 'people')
    monkeypatch.setenv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9')
    monkeypatch.setattr(store, '_systems', {})
    for opener in (lambda: opened('s3://faces/sets', 'lmdb'), lambda: faces.__getitems__([0])):
        with pytest.raises(StoreError, match=r's3://faces/sets/[/\w.]* cannot be read: .*attempts\)') as error:
            opener()
        assert '\n' not in str(error.value)


def test_what_is_no_image_is_a_bad_one(files, sets):
    with serve({**{quote(path): data for path, data in files.items()}, '/people/Ann/1.a.jpg': b'no image'}) as address:
        faces = FolderFaces(dict(address=f'{address}/people', **QUICK))
        with pytest.raises(FormatError, match=f'{address}/people/Ann/1.a.jpg'):
            faces[1]


# --- LMDB -------------------------------------------------------------------------------------------------------------


def test_lmdb_is_copied_once_and_then_needs_no_store(files, sets, own_cache):
    faults = Faults()
    with serve(files, faults) as address:
        stated = dict(address=f'{address}/lmdb', **QUICK)
        faults.faults = [{}, {}, {}, {}, dict(cut=10), {}]
        assert not LmdbFaces(stated).remote
        asked = len(faults.requests)
        again = LmdbFaces(stated)
        assert all(part == 'bytes=0-0' for _, part, _ in faults.requests[asked:])
    assert same(again, local(sets, 'lmdb')) and again.where(0).startswith(f'{address}/lmdb, key 000000000/Ann')
    assert not (own_cache / 'blocks').exists() and len(list((own_cache / 'copies').glob('*/data.mdb'))) == 1


def test_lmdb_that_does_not_fit_is_refused_before_it_is_copied(files, own_cache, monkeypatch):
    size, faults = len(files['/lmdb/data.mdb']), Faults()
    with serve({**files, **{f'/other{path[5:]}': data for path, data in files.items() if path.startswith('/lmdb')}},
               faults) as address:
        with pytest.raises(InputError, match=r'lmdb/data.mdb is copied whole, and has .* GB; the cache takes .* Raise '
                                             'cache_gb .* mlaface data convert SET OUT --to tar'):
            LmdbFaces(dict(address=f'{address}/lmdb', **{**QUICK, 'cache_gb': 0.9 * size / 1e9, 'block_kb': 1}))
        assert all(part == 'bytes=0-0' for _, part, _ in faults.requests)
        bounded = {**QUICK, 'cache_gb': 1.5 * size / 1e9, 'block_kb': 1}
        (left := next(path for path in (own_cache / 'copies').iterdir() if path.is_dir()) / '.data.mdb.x.part').touch()
        LmdbFaces(dict(address=f'{address}/lmdb', **bounded))
        assert not left.exists()
        with pytest.raises(InputError, match='of which other copies in .* take .*remove those'):
            LmdbFaces(dict(address=f'{address}/other', **bounded))
        monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=100))
        with pytest.raises(FullDiskError, match='the disk of .* has 1e-07 GB left'):
            LmdbFaces(dict(address=f'{address}/other', **QUICK))


def test_lmdb_that_is_cut_on_its_way_is_not_there(files, own_cache):
    faults = Faults()
    with serve(files, faults) as address:
        faults.next = lambda handler: dict(cut=50) if handler.headers['Range'] != 'bytes=0-0' else {}
        with pytest.raises(StoreError, match=r'data.mdb cannot be read: .* \(2 attempts\)'):
            LmdbFaces(dict(address=f'{address}/lmdb', **QUICK))
    assert not list((own_cache / 'copies').rglob('*data.mdb*'))
