"""``mlaface data`` over sets in a store, from a server on loopback: what it finds and writes is as of local ones."""
import json

import pytest

from mlaface.cli.data import main
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.prepare.inspect import open_set
from mlaface.datasets.prepare.kept_rows import set_hash
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.executors.local import LocalExecutor
from tests.datasets.archive_sets import content, converted
from tests.datasets.store_sets import files_of, made
from tests.zoo.server import Faults, serve

pytest.importorskip('aiohttp')


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    return made(tmp_path_factory.mktemp('sets'))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))


@pytest.fixture
def address(sets):
    with serve(files_of(sets), Faults()) as found:
        yield found


def told(capsys, *arguments):
    """Exit status and JSON of a command."""
    status = 0
    try:
        main([*map(str, arguments), '--json'])
    except SystemExit as end:
        status = end.code or 0
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize('kind, pieces', [
    ('records', {}), ('tar', {}), ('records', dict(executor=LocalExecutor(processes=1), piece_size=7)),
    pytest.param('tar', dict(executor=LocalExecutor(processes=1), piece_size=7), marks=pytest.mark.slow)])
def test_a_set_in_a_store_is_converted_as_a_local_one(sets, address, tmp_path, kind, pieces):
    for name, source in (('local', sets / kind), ('stored', f'{address}/{kind}')):
        converted(source, tmp_path / name, 'tar', shuffle=3, **pieces)
    found = content(tmp_path / 'stored')
    assert json.loads(found.pop('summary.json'))['source'] == f'{address}/{kind}'
    assert found == {name: data for name, data in content(tmp_path / 'local').items() if name != 'summary.json'}


@pytest.mark.parametrize('kind', ['records', 'tar'])
@pytest.mark.parametrize('verb', ['verify', 'inspect', 'dedupe', 'split'])
def test_what_is_found_of_a_set_in_a_store_is_what_is_found_of_a_local_one(sets, address, tmp_path, capsys, kind, verb):
    found = []
    for name, place in (('local', sets / kind), ('stored', f'{address}/{kind}')):
        more = dict(dedupe=['--out', tmp_path / name], split=['--out', tmp_path / name, '--shares', 'a=0.5,b=0.5'])
        status, summary = told(capsys, verb, place, *more.get(verb, ()))
        text = json.dumps({key: value for key, value in summary.items() if key != 'seconds'})
        found.append((status, text.replace(str(place), 'SET').replace(str(tmp_path / name), 'OUT')))
    assert found[0] == found[1]


def test_a_benchmark_in_a_store_is_looked_at(sets, address, tmp_path, capsys):
    images = [open_set(sets / 'records').encoded(index)[1] for index in range(4)]
    write_bin(tmp_path / 'b.bin', images, [True, False])
    with serve({'/b.bin': (tmp_path / 'b.bin').read_bytes()}, Faults()) as place:
        assert told(capsys, 'inspect', f'{place}/b.bin')[1]['images'] == 4
        copies = told(capsys, 'dedupe', f'{place}/b.bin', sets / 'records', '--out', tmp_path / 'out', '--by', 'bytes')
        assert copies[1]['sets'][1]['copies'] == 4


def test_a_file_of_records_in_a_store_is_verified(address, capsys):
    assert told(capsys, 'verify', f'{address}/records/train.rec')[1]['faulty'] == []


def test_another_version_of_a_set_is_another_set(sets):
    files, hashes = files_of(sets), []
    with serve(files, Faults()) as address:
        for _ in range(2):
            hashes.append([set_hash(f'{address}/{kind}', open_set(f'{address}/{kind}')) for kind in ('records', 'tar')])
            files['/records/train.idx'] += b' '
            files['/tar/shards.json'] += b' '
    assert all(first != second for first, second in zip(*hashes))


def test_a_list_of_images_below_another_root_is_another_set(sets):
    files = {'/lists/a.lst': b'0\t0\tp00/0.a.jpg\n'}
    files |= {f'/{root}/p00/0.a.jpg': (sets / 'people' / root / '0.a.jpg').read_bytes() for root in ('p00', 'p01')}
    with serve(files, Faults()) as address:
        found = [open_set(f'{address}/lists/a.lst', root=f'{address}/{root}') for root in ('p00', 'p01')]
        assert found[0].encoded(0) != found[1].encoded(0)
        assert len({set_hash(f'{address}/lists/a.lst', dataset) for dataset in found}) == 2


def test_what_a_store_does_not_have_is_a_line_that_says_what_it_could(address, tmp_path):
    with pytest.raises(MissingDataError, match='no set at .*/nothing: of a store .* train.rec .* shards.json'):
        open_set(f'{address}/nothing')
    with pytest.raises(InputError, match='ftp:// is no store'):
        open_set('ftp://host/set')
    with pytest.raises(SystemExit):
        main(['inspect', f'{address}/nothing'])
    with pytest.raises(SystemExit):
        main(['verify', f'{address}/tar', '--write-index'])
