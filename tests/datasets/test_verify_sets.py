"""Faults that are planted are found, whatever the layout; and what a sample says of those that were not drawn."""
import io
import json
import os
import signal
import tarfile
from fractions import Fraction
from math import comb

import pytest

from mlaface.cli.main import main
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.key_lists import read_keys
from mlaface.datasets.prepare.inspect import open_set
from mlaface.datasets.prepare.verify_set import Sample, draw_sample
from tests.datasets.archive_sets import content, converted, face, people


def verify(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(['data', 'verify', *map(str, arguments)])
    return end.value.code, capsys.readouterr().out


@pytest.mark.parametrize('layout', ['records', 'tar', 'lmdb', 'parquet', 'folder'])
def test_a_damaged_image_is_found_and_its_list_leaves_it_out(capsys, tmp_path, layout):
    pytest.importorskip('lmdb')
    pytest.importorskip('pyarrow')
    folder = people(tmp_path / 'people')
    torn = face(99)[:-200]
    (folder / 'bob' / '0.a.jpg').write_bytes(torn)
    converted(folder, tmp_path / 'set', layout, rules=_blind())
    code, out = verify(capsys, tmp_path / 'set', '--write-list', tmp_path / 'list')
    assert code == 1 and '11 of 11 images decoded, 1 cannot be used' in out and 'damaged: JPEG of' in out
    key, = read_keys(tmp_path / 'list')
    dataset = open_set(tmp_path / 'set')
    assert [dataset.key(index) for index in range(11) if dataset.encoded(index)[1] == torn] == [key]
    with pytest.warns(UserWarning, match='1 of 4 classes|1 of 4 folders') if layout else None:
        assert len(open_set(tmp_path / 'set', exclude=[tmp_path / 'list'])) == 10


@pytest.mark.filterwarnings('ignore:.*passed over')
def test_what_the_set_passes_over_is_faulty_too(capsys, tmp_path):
    folder = people(tmp_path / 'people', {'a': 2, 'b': 2})
    for name in ('a/#x.HEIC', 'b/y.heic', 'loose.jpg'):
        (folder / name).write_bytes(face(9))
    code, out = verify(capsys, folder, '--json', '--sample', 3, '--write-list', tmp_path / 'list')
    result, heic = json.loads(out), 'format: HEIC is not read: convert it to JPEG'
    assert code == 1 and result['passed_over'] == 3 and result['images'] == 4
    assert sorted(result['faulty']) == [['a/#x.HEIC', heic], ['b/y.heic', heic],
                                        ['loose.jpg', 'place: it lies in no folder of an identity']]
    assert result['bound'] == Sample(4, 3, 0).bound()
    assert f'# passed over: b/y.heic: {heic}\n' in (tmp_path / 'list').read_text() and not read_keys(tmp_path / 'list')
    assert len(open_set(folder, exclude=[tmp_path / 'list'])) == 4
    code, out = verify(capsys, folder)
    assert code == 1 and '4 of 4 images decoded, 0 cannot be used; 3 more are passed over\n' in out
    with pytest.raises(SystemExit) as end:
        main(['data', 'inspect', str(folder), '--json'])
    result = json.loads(capsys.readouterr().out)
    assert end.value.code == 1 and result['faulty'] == 3 and f'{folder}/b/y.heic: {heic}' in result['faults']


def _blind():
    from mlaface.datasets.archives.examine import Rules
    return Rules(decode=False)


def test_an_index_that_is_not_of_its_shards_is_found(capsys, tmp_path):
    converted(people(tmp_path / 'people'), tmp_path / 'set', 'tar')
    shard = tmp_path / 'set' / 'shard-000000.tar'
    data = shard.read_bytes()
    shard.write_bytes(data.replace(b'bob/0%2Ea', b'obb/0%2Ea'))  # another name, the same checksum
    code, out = verify(capsys, tmp_path / 'set')
    assert code == 1 and 'image 5 is not where index.npy has it' in out
    shard.write_bytes(data.replace(b'bob/0%2Ea.cls', b'eve/0%2Ea.cls'))
    code, out = verify(capsys, tmp_path / 'set')
    assert code == 1 and 'no head of a member at byte' in out and '0 cannot be used' in out
    shard.write_bytes(data[:-512])
    with pytest.raises(SystemExit, match='has .* bytes, shards.json says'):
        main(['data', 'verify', str(tmp_path / 'set')])


def test_tar_files_of_others_get_an_index(capsys, tmp_path):
    converted(people(tmp_path / 'people'), tmp_path / 'set', 'tar')
    expected = open_set(tmp_path / 'set')
    keys = [expected.key(index) for index in range(11)]
    for name in ('index.npy', 'shards.json'):
        (tmp_path / 'set' / name).unlink()
    with pytest.warns(UserWarning, match='has no index.npy'):
        assert open_set(tmp_path / 'set').labels.tolist() == expected.labels.tolist()
    assert verify(capsys, tmp_path / 'set', '--write-index')[0] == 0
    again = open_set(tmp_path / 'set')
    assert [again.key(index) for index in range(11)] == keys and again.metainfo == expected.metainfo


def tar_of(path, names):
    """A tar file of faces without ``.cls``: their folders are the classes."""
    with tarfile.open(path, 'w') as tar:
        for number, name in enumerate(names):
            member = tarfile.TarInfo(name)
            data = face(number)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_tar_files_are_indexed_again_to_the_same_bytes(capsys, tmp_path):
    (tmp_path / 'set').mkdir()
    tar_of(tmp_path / 'set' / 'a.tar', ['Ärger/0.jpg', 'bob/0.jpg'])
    assert verify(capsys, tmp_path / 'set', '--write-index')[0] == 0
    first = content(tmp_path / 'set')
    assert sorted(first) == ['a.tar', 'classes.txt', 'index.npy', 'shards.json']
    assert verify(capsys, tmp_path / 'set', '--write-index')[0] == 0 and content(tmp_path / 'set') == first
    (tmp_path / 'set' / 'classes.txt').write_text('eve\nbob\n')
    with pytest.raises(SystemExit, match='classes.txt has other names than the folders .* remove it'):
        main(['data', 'verify', str(tmp_path / 'set'), '--write-index'])
    assert (tmp_path / 'set' / 'classes.txt').read_text() == 'eve\nbob\n'


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='processes begin by fork')
@pytest.mark.parametrize('layout, number', [
    *(('tar', number) for number in (1, 2, 3)), ('records', 1), ('folder', 1), ('parquet', 1)])
def test_what_a_killed_writer_of_an_index_left_goes(monkeypatch, capsys, tmp_path, layout, number):
    pytest.importorskip('pyarrow')
    if layout == 'tar':
        (tmp_path / 'set').mkdir()
        tar_of(tmp_path / 'set' / 'a.tar', ['ann/0.jpg', 'bob/0.jpg'])
    else:
        converted(people(tmp_path / 'people'), tmp_path / 'set', layout)
        (tmp_path / 'set' / 'train.idx').unlink(missing_ok=True)
    before = content(tmp_path / 'set')
    child = os.fork()
    if not child:
        real, calls = os.replace, []

        def killing(*names):
            calls.append(0)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*names)
        monkeypatch.setattr(os, 'replace', killing)
        main(['data', 'verify', str(tmp_path / 'set'), '--write-index'])
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = content(tmp_path / 'set').keys() - before.keys()
    assert len(left) == number and sum(name.endswith('.part') for name in left) == 1
    assert verify(capsys, tmp_path / 'set', '--write-index')[0] == 0
    new = dict(tar=3, records=1, folder=1, parquet=1)[layout]
    found = content(tmp_path / 'set').keys()
    assert len(found - before.keys()) == new and not any(name.endswith('.part') for name in found)


def test_a_tar_file_that_came_after_the_index_is_not_passed_over(capsys, tmp_path):
    folder = tmp_path / 'set'
    (folder / 'more').mkdir(parents=True)
    tar_of(folder / 'a.tar', ['ann/0.jpg', 'bob/0.jpg'])
    assert verify(capsys, folder, '--write-index')[0] == 0
    tar_of(folder / 'more' / 'b.tar', ['ann/1.jpg', 'bob/1.jpg', 'bob/2.jpg'])
    tar_of(folder / 'more' / '.c.tar', ['ann/2.jpg'])
    with pytest.raises(FormatError, match=r'more.b\.tar: not in shards.json.* data verify .*set --write-index'):
        open_set(folder)
    assert verify(capsys, folder, '--write-index')[0] == 0 and len(open_set(folder)) == 5
    converted(people(tmp_path / 'people'), folder / 'other', 'tar')  # a set of its own
    assert len(open_set(folder)) == 5


def by_counting(total, drawn, faulty, found):
    """The chance that at most ``found`` of so many faulty images are drawn, by counting the draws."""
    ways = sum(comb(faulty, hit) * comb(total - faulty, drawn - hit) for hit in range(found + 1)
               if hit <= faulty and drawn - hit <= total - faulty)
    return Fraction(ways, comb(total, drawn))


@pytest.mark.parametrize('total, drawn, found', [(100, 10, 0), (100, 30, 2), (50, 49, 0), (40, 1, 1), (60, 60, 3)])
def test_the_chance_of_having_missed_a_fault(total, drawn, found):
    sample = Sample(total, drawn, found)
    for faulty in (1, 5, 20):
        assert sample.missed(faulty) == pytest.approx(float(by_counting(total, drawn, faulty, 0)), abs=1e-12)
    bound = sample.bound()
    assert by_counting(total, drawn, bound, found) >= Fraction(1, 20)
    assert bound == total - (drawn - found) or by_counting(total, drawn, bound + 1, found) < Fraction(1, 20)


def test_a_sample_says_what_it_cannot_know(capsys, tmp_path):
    folder = people(tmp_path / 'people', {'a': 150})
    code, out = verify(capsys, folder, '--sample', 50, '--json')
    result = json.loads(out)
    assert code == 0 and (result['images'], result['drawn'], result['faulty']) == (150, 50, [])
    assert result['bound'] == Sample(150, 50, 0).bound() == 7 and result['missed']['1'] == pytest.approx(2 / 3)
    assert '50 of 150 images' in verify(capsys, folder, '--sample', 50)[1]
    assert len(set(draw_sample(150, 50, 1).tolist())) == 50 and len(draw_sample(5, 9)) == 5
