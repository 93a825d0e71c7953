"""``mlaface data dedupe, leak, clean, pairs, split, inspect --report``: lists that training takes, pages, bad input."""
import contextlib
import json
import os
import shutil
import signal
import time

import cv2
import numpy as np
import pytest

from mlaface.cli.data import main
from mlaface.datasets.formats.bin_set import read_bin, write_bin
from mlaface.datasets.formats.jpeg import encode
from mlaface.datasets.key_lists import read_keys
from mlaface.datasets.prepare import pairs
from mlaface.datasets.sets.folder_faces import FolderFaces
from mlaface.datasets.synthetic.official import draw
from mlaface.utils.files import held
from mlaface.utils.texts import is_control
from tests.datasets.archive_sets import content

MODEL = ('--model', 'tests.cli.test_data_commands:blocks', '--import', 'tests.cli.test_data_commands', '--workers', '1',
         '--device', 'cpu')


def blocks(images):
    """A model for tests: mean colours of an image's parts."""
    return images.reshape(len(images), 3, 8, 14, 8, 14).mean((3, 5)).reshape(len(images), -1)


@pytest.fixture(scope='module')
def faces():
    """Coloured patterns: 14 people with 6 images each, which ``blocks`` tells apart."""
    rng = np.random.default_rng(0)
    people = rng.integers(30, 226, (14, 8, 8, 3))
    return [[encode(np.clip(np.kron(person, np.ones((14, 14, 1))) + rng.normal(0, 25, (112, 112, 3))
                            + np.kron(rng.normal(0, 25, (8, 8, 3)), np.ones((14, 14, 1))), 0, 255).astype(np.uint8))
             for _ in range(6)] for person in people]


@pytest.fixture
def folder(tmp_path, faces, monkeypatch):
    """The people as folders."""
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    for number, images in enumerate(faces):
        (tmp_path / 'set' / f'p{number:02}').mkdir(parents=True)
        for count, image in enumerate(images):
            (tmp_path / 'set' / f'p{number:02}' / f'{count}.jpg').write_bytes(image)
    return tmp_path / 'set'


def summary(folder):
    return json.loads((folder / 'summary.json').read_text())


@pytest.mark.parametrize('verb, more', [
    ('inspect', ['--pose', '0']), ('dedupe', []), ('clean', MODEL), ('split', ['--shares', 'train=0.5,test=0.5']),
    ('pairs', ['--pairs', '40', '--folds', '2']), ('leak', MODEL)])
def test_the_summary_comes_alone_on_standard_output(folder, tmp_path, faces, capsys, verb, more):
    sets = [str(folder)]
    if verb == 'leak':
        write_bin(tmp_path / 'b.bin', [faces[5][0], faces[5][1]], [True])
        sets.append(str(tmp_path / 'b.bin'))
    with pytest.raises(SystemExit, match='0') if verb == 'inspect' else contextlib.nullcontext():
        main([verb, *sets, '--report' if verb == 'inspect' else '--out', str(tmp_path / 'out'), '--json', *more])
    found = json.loads(capsys.readouterr().out)
    assert found == summary(tmp_path / 'out') and found['command'] == f'data {verb}' and found['schema'] == 1


def test_what_inspect_finds_comes_as_json_without_a_page(folder, capsys):
    (folder / 'p04' / 'empty.jpg').write_bytes(b'')
    with pytest.raises(SystemExit, match='1'):
        main(['inspect', str(folder), '--json'])
    found = json.loads(capsys.readouterr().out)
    assert found['sizes'] == {'112x112': 84} and found['faulty'] == 1 and 'empty.jpg' in found['faults'][0]


def test_copies_are_listed_and_training_leaves_them_out(folder, tmp_path, faces, capsys):
    (folder / 'p03' / 'naïve name\n.jpg').write_bytes(faces[0][0])
    (folder / 'p04' / 'empty.jpg').write_bytes(b'')
    main(['dedupe', str(folder), '--out', str(tmp_path / 'out')])
    found = summary(tmp_path / 'out')
    assert found['groups']['bytes'] == 1 and found['across_identities'] == 1 and found['unreadable'] == 1
    assert read_keys(tmp_path / 'out' / 'exclude_1.txt') == ['p03/naïve name\n.jpg', 'p04/empty.jpg']
    assert len(FolderFaces(str(folder), exclude=str(tmp_path / 'out' / 'exclude_1.txt'))) == 14 * 6
    said = capsys.readouterr().out
    assert '1 groups of copies' in said and '1 of 86 images to leave out, and 1 that cannot be read' in said
    before = (tmp_path / 'out' / 'exclude_1.txt').read_bytes()
    main(['dedupe', str(folder), '--out', str(tmp_path / 'out'), '--by', 'embedding', '--cosine', '0.999', *MODEL])
    assert (tmp_path / 'out' / 'exclude_1.txt').read_bytes() == before


def test_a_benchmark_loses_nothing_and_its_copies_are_listed(folder, tmp_path, faces, capsys):
    write_bin(tmp_path / 'b.bin', [faces[0][0], faces[0][1], faces[2][0], faces[3][0]], [True, False])
    main(['dedupe', str(tmp_path / 'b.bin'), str(folder), '--out', str(tmp_path / 'out'), '--by', 'bytes'])
    assert read_keys(tmp_path / 'out' / 'exclude_2.txt') == ['p00/0.jpg', 'p00/1.jpg', 'p02/0.jpg', 'p03/0.jpg']
    assert not (tmp_path / 'out' / 'exclude_1.txt').exists() and 'nothing is listed' in capsys.readouterr().out


@pytest.mark.parametrize('verb, more', [('clean', ()), ('leak', ()), ('dedupe', ('--by', 'embedding'))])
def test_a_function_as_the_model_is_said_to_begin_anew(folder, tmp_path, capsys, verb, more):
    sets = [str(folder)] * (2 if verb == 'leak' else 1)
    main([verb, *sets, '--out', str(tmp_path / 'out'), *more, *MODEL])
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f'{MODEL[1]}: after a kill embedding would begin anew, since a function cannot be told')
    assert sum('begin anew' in line for line in said) == 1
    if verb == 'dedupe':
        main([verb, *sets, '--out', str(tmp_path / 'out')])
        assert 'begin anew' not in capsys.readouterr().err


@pytest.mark.parametrize('words', [
    ('verify', 'SET'), ('inspect', 'SET'), ('inspect', 'SET', '--report', 'OUT', '--pose', '0'),
    ('dedupe', 'SET', '--out', 'OUT'), ('dedupe', 'BIN', 'SET', '--out', 'OUT', '--by', 'embedding', *MODEL),
    ('dedupe', 'SET', '--out', 'OUT', '--executor', 'local', '--executor-options', 'processes=1'),
    ('clean', 'SET', '--out', 'OUT', *MODEL), ('leak', 'SET', 'BIN', '--out', 'OUT', *MODEL),
    ('clean', 'SET', '--out', 'OUT', *MODEL, '--executor', 'local', '--executor-options', 'processes=1'),
    ('pairs', 'SET', '--out', 'OUT', '--pairs', '40', '--folds', '2'),
    ('split', 'SET', '--out', 'OUT', '--shares', 'train=0.5,test=0.5')],
    ids=lambda words: '-'.join(word for word in words if word.islower() and word.isalpha()))
def test_a_list_beside_another_root_is_taken_by_all_commands(folder, tmp_path, faces, capsys, words):
    """As the same list is where its paths start, below a folder that is named from where the command is called."""
    write_bin(tmp_path / 'b.bin', [faces[0][0], faces[0][1], faces[2][0], faces[3][0]], [True, False])
    with pytest.raises(SystemExit):
        main(['verify', str(folder), '--write-index'])
    (tmp_path / 'lists').mkdir()
    apart = tmp_path / 'lists' / 'images.lst'
    apart.write_bytes((folder / 'images.lst').read_bytes())
    capsys.readouterr()

    def told(place, *more):
        names = dict(SET=str(place), OUT=str(tmp_path / 'out'), BIN=str(tmp_path / 'b.bin'))
        try:
            status = main([*(names.get(word, word) for word in words), *more, '--json'])
        except SystemExit as end:
            status = end.code
        said = json.loads(capsys.readouterr().out)
        lists = {path.name: read_keys(path) for path in sorted(tmp_path.glob('out/*.txt'))}
        shutil.rmtree(tmp_path / 'out', ignore_errors=True)
        return status, json.dumps({key: value for key, value in said.items() if 'seconds' not in key}).replace(
            str(place), 'SET'), lists
    expected = told(folder / 'images.lst')
    assert not expected[0]
    assert told(apart, '--root', os.path.relpath(folder)) == expected
    with pytest.raises(SystemExit, match='--root would do nothing: it is where the images of a .lst lie'):
        names = dict(SET=str(folder), OUT=str(tmp_path / 'out'), BIN=str(tmp_path / 'b.bin'))
        main([*(names.get(word, word) for word in words), '--root', str(folder)])


def test_shared_people_are_listed(folder, tmp_path, faces):
    write_bin(tmp_path / 'b.bin', [faces[5][0], faces[5][1]], [True])
    for image in (0, 1):
        (folder / 'p05' / f'{image}.jpg').unlink()
    for person in ('p04', 'p05'):
        (folder / person / 'empty.jpg').write_bytes(b'')
    main(['leak', str(folder), str(tmp_path / 'b.bin'), '--out', str(tmp_path / 'out'), *MODEL])
    assert set(read_keys(tmp_path / 'out' / 'exclude.txt')) == {
        'p04/empty.jpg', 'p05/empty.jpg', *(f'p05/{image}.jpg' for image in range(2, 6))}
    found = summary(tmp_path / 'out')
    assert (found['identities_shared'], found['unreadable'], found['images_left_out']) == (1, 2, 6)
    assert (tmp_path / 'out' / 'leaks.html').read_text().count('data:image/jpeg') >= 2


def test_wrong_labels_are_listed(folder, tmp_path, faces):
    (folder / 'p07' / 'x.jpg').write_bytes(faces[8][0])
    (folder / 'p08' / '0.jpg').unlink()
    noise = np.random.default_rng(1).integers(0, 255, (112, 112, 3), np.uint8)
    (folder / 'p09' / 'noise.jpg').write_bytes(encode(noise))
    main(['clean', str(folder), '--out', str(tmp_path / 'out'), *MODEL])
    assert '\np07/x.jpg\t# p08\n' in (tmp_path / 'out' / 'relabel.txt').read_text()
    assert {'p07/x.jpg', 'p09/noise.jpg'} <= set(read_keys(tmp_path / 'out' / 'exclude.txt'))
    assert (tmp_path / 'out' / 'clean.html').exists() and len(FolderFaces(str(folder))) == 85


def test_pairs_have_folds_of_disjoint_people_and_balanced_groups(folder, tmp_path, faces):
    (tmp_path / 'groups').write_text(''.join(f'p{k:02}\t{"even" if k % 2 == 0 else "odd"}\n' for k in range(14)))
    arguments = ['pairs', str(folder), '--out', str(tmp_path / 'out'), '--pairs', '80', '--folds', '2']
    main([*arguments, '--groups', str(tmp_path / 'groups')])
    person = {image: number for number, images in enumerate(faces) for image in images}
    seen = [[set(), set()], [set(), set()]]
    for parity, name in enumerate(('even', 'odd')):
        found = read_bin(tmp_path / 'out' / f'{name}.bin')
        assert len(found.issame) == 40 and found.issame.sum() == 20
        pairs = [(person[a], person[b]) for a, b in zip(found.images[::2], found.images[1::2])]
        assert [a == b for a, b in pairs] == found.issame.tolist()
        for number, pair in enumerate(pairs):
            seen[parity][number // 20] |= set(pair)
        assert not seen[parity][0] & seen[parity][1] and {k % 2 for k in seen[parity][0] | seen[parity][1]} == {parity}
    first = (tmp_path / 'out' / 'even.bin').read_bytes()
    main([*arguments, '--groups', str(tmp_path / 'groups')])
    assert (tmp_path / 'out' / 'even.bin').read_bytes() == first


def test_groups_of_a_killed_run_are_all_there_or_none(folder, tmp_path, monkeypatch):
    (tmp_path / 'groups').write_text(''.join(f'p{k:02}\t{"even" if k % 2 == 0 else "odd"}\n' for k in range(14)))
    arguments = ['pairs', str(folder), '--groups', str(tmp_path / 'groups'), '--pairs', '40', '--folds', '2', '--out']

    def bins(name):
        return {file.name: file.read_bytes() for file in (tmp_path / name).rglob('*.bin')}

    def killed_at_the_second(path, *rest, real=pairs.write_bin, calls=[]):  # noqa: B006
        if calls:
            os.kill(os.getpid(), signal.SIGKILL)
        calls.append(path)
        real(path, *rest)
    main([*arguments, str(tmp_path / 'first')])
    whole = bins('first')
    assert set(whole) == {'even.bin', 'odd.bin'}
    for seed, left in (('0', {}), ('1', whole)):  # the second time over those of another draw
        child = os.fork()
        if not child:
            monkeypatch.setattr(pairs, 'write_bin', killed_at_the_second)
            with contextlib.suppress(BaseException):
                main([*arguments, str(tmp_path / 'second'), '--seed', seed])
            os._exit(0)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]) and bins('second') == left
        main([*arguments, str(tmp_path / 'second')])
        assert bins('second') == whole


def test_a_second_process_at_one_place_is_refused(folder, tmp_path, capsys):
    with held(tmp_path / '.out.lock', ''), pytest.raises(SystemExit, match='out is being made by another process'):
        main(['pairs', str(folder), '--out', str(tmp_path / 'out'), '--pairs', '40', '--folds', '2', '--layout', 'lfw'])
    assert not (tmp_path / 'out').exists()


def test_fewer_pairs_than_were_asked_for_are_said(folder, tmp_path, capsys):
    main(['pairs', str(folder), '--out', str(tmp_path / 'out'), '--pairs', '41', '--folds', '2'])
    assert '40 pairs (41 were asked for' in capsys.readouterr().out


@pytest.mark.parametrize('layout, said', [('bin', True), ('lfw', False)])
def test_folds_that_a_bin_cannot_state_are_said(folder, tmp_path, capsys, layout, said):
    main(['pairs', str(folder), '--out', str(tmp_path / 'out'), '--pairs', '40', '--folds', '2', '--layout', layout])
    assert ('a .bin does not state its folds and is read in 10' in capsys.readouterr().out) == said


FAULTS = {'p00/empty.jpg': b'', 'p01/page.jpg': b'<html>404</html>', 'p02/torn.jpg': None, 'p03/small.jpg': None}


@pytest.fixture
def faulty(folder, faces):
    """The people, with images that cannot be used."""
    small = encode(np.zeros((96, 96, 3), np.uint8))
    for (key, data), other in zip(FAULTS.items(), (None, None, faces[2][0][:600], small)):
        (folder / key).write_bytes(data if other is None else other)
    return folder


def test_images_that_cannot_be_used_stand_in_no_pair_and_are_listed(faulty, tmp_path, faces, capsys):
    arguments = ['pairs', str(faulty), '--pairs', '200', '--folds', '2', '--out', str(tmp_path / 'out')]
    main(arguments)
    assert set(read_bin(tmp_path / 'out' / 'set.bin').images) <= {image for images in faces for image in images}
    assert read_keys(tmp_path / 'out' / 'exclude.txt') == list(FAULTS)
    found = summary(tmp_path / 'out')
    assert (found['unreadable'], found['wrong_size'], found['pairs']) == (3, 1, 200)
    told = capsys.readouterr()
    assert '3 images cannot be read, and 1 are not 112x112' in told.out and '4 images cannot be read or' in told.err
    with pytest.raises(SystemExit, match='error: .*makes 0 pairs of one person'):
        main([*arguments, '--image-size', '96', '96'])
    with pytest.raises(SystemExit, match='no image is a readable face of 50x50 pixels, as --image-size says: align'):
        main([*arguments, '--image-size', '50', '50'])


def test_images_that_cannot_be_used_are_in_no_part_and_in_every_list_to_leave_out(faulty, tmp_path, capsys):
    for file in (faulty / 'p04').iterdir():
        file.write_bytes(b'')
    main(['split', str(faulty), '--out', str(tmp_path / 'out'), '--shares', 'train=0.5,val=0.5'])
    bad = {*FAULTS, *(f'p04/{count}.jpg' for count in range(6))}
    parts = {name: read_keys(tmp_path / 'out' / f'{name}.txt') for name in ('train', 'val')}
    assert not bad & {*parts['train'], *parts['val']} and sum(map(len, parts.values())) == 78
    for name, keys in parts.items():
        path = tmp_path / 'out' / f'exclude_{name}.txt'
        assert bad <= set(read_keys(path)) and len(read_keys(path)) == 88 - len(keys)
        assert 'p03/small.jpg\t# 96x96 pixels, expected are 112x112\n' in path.read_text()
        with pytest.warns(UserWarning, match='folders hold no image'):
            left = FolderFaces(str(faulty), exclude=str(path))
        assert [left.key(k) for k in range(len(left))] == keys and len(left[0]['images'])
    found = summary(tmp_path / 'out')
    assert (found['unreadable'], found['wrong_size']) == (9, 1)
    assert sum(part['identities'] for part in found['parts'].values()) == 13
    assert '9 images cannot be read, and 1 are not 112x112' in capsys.readouterr().out


def test_images_in_folders_within_an_identity_are_counted(folder, tmp_path):
    (folder / 'p00' / 'more' / 'still').mkdir(parents=True)
    (folder / 'p00' / 'more' / 'still' / 'a.JPG').write_bytes((folder / 'p00' / '0.jpg').read_bytes())
    (folder / 'p00' / 'more' / 'notes.txt').write_text('no image')
    with pytest.warns(UserWarning, match='p00/more/still/a.JPG is passed over: it lies deeper than p00/IMAGE'):
        assert main(['pack', str(folder), str(tmp_path / 'out')]) == 1
    assert read_keys(tmp_path / 'out' / 'left_out.txt') == ['p00/more/still/a.JPG']
    assert summary(tmp_path / 'out')['left_out'] == dict(place=1)


def test_pairs_in_the_layout_of_lfw_are_read_by_its_protocol(folder, tmp_path):
    from mlaface.evaluation.protocols.lfw import LFW
    main(['pairs', str(folder), '--out', str(tmp_path / 'out'), '--pairs', '40', '--folds', '2', '--layout', 'lfw'])
    suite = LFW.open(tmp_path / 'out')
    benchmark, = suite.benchmarks.values()
    assert len(benchmark['issame']) == 40 and benchmark['folds'] == 2
    assert (benchmark['issame'] == (benchmark['subjects'][:, 0] == benchmark['subjects'][:, 1])).all()


def test_parts_are_disjoint_whole_and_stay_with_more_people(folder, tmp_path):
    arguments = ['split', str(folder), '--out', str(tmp_path / 'out'), '--shares', 'train=0.5,val=0.25,test=0.25']
    main(arguments)
    parts = {name: read_keys(tmp_path / 'out' / f'{name}.txt') for name in ('train', 'val', 'test')}
    people = {name: {key.partition('/')[0] for key in keys} for name, keys in parts.items()}
    assert sum(map(len, parts.values())) == 84 and sum(map(len, people.values())) == len(set().union(*people.values()))
    left = FolderFaces(str(folder), exclude=str(tmp_path / 'out' / 'exclude_val.txt'))
    assert [left.key(k) for k in range(len(left))] == parts['val']
    main([*arguments[:3], str(tmp_path / 'seed'), *arguments[4:], '--seed', '1'])
    assert read_keys(tmp_path / 'seed' / 'train.txt') != parts['train']


def test_lists_of_two_splits_are_not_mixed(folder, tmp_path):
    out = tmp_path / 'out'
    arguments = ['split', str(folder), '--out', str(out), '--shares']
    main([*arguments, 'train=0.5,val=0.25,test=0.25'])
    (out / 'mine.txt').write_text('# mine of old: a list of another kind\n')
    first = content(out)
    main([*arguments, 'train=0.5,val=0.25,test=0.25'])
    assert content(out) == first
    for others in (['train=0.5,test=0.5'], ['train=0.5,val=0.25,test=0.25', '--seed', '1']):
        with pytest.raises(SystemExit, match=r'txt is of another split \(.*: seed 0, shares .* remove its lists'):
            main([*arguments, *others])
        assert content(out) == first
    for file in ('train.txt', 'exclude_train.txt', 'test.txt', 'exclude_test.txt', 'val.txt', 'summary.json'):
        (out / file).unlink()
    with pytest.raises(SystemExit, match=r'exclude_val\.txt is of another split \(all but val of'):
        main([*arguments, 'train=0.5,test=0.5'])


def test_the_page_says_what_hurts(folder, tmp_path, faces, capsys):
    (folder / 'P00').mkdir()
    (folder / 'P00' / 'one.png').write_bytes(cv2.imencode('.png', np.full((50, 40, 3), 9, np.uint8))[1].tobytes())
    (folder / 'p01' / 'torn.jpg').write_bytes(faces[1][0][:300])
    (folder / 'p02' / 'copy.jpg').write_bytes(faces[3][0])
    with pytest.raises(SystemExit):
        main(['inspect', str(folder), '--report', str(tmp_path / 'out'), '--pose', '0', '--workers', '1'])
    assert summary(tmp_path / 'out')['harm'] == dict(
        unreadable=1, wrong_size=1, conflicts=1, copies=1, case=2, single=1, dark=1, flat=1, blurred=1, grey=1)
    page = (tmp_path / 'out' / 'inspect.html').read_text()
    assert 'http' not in page.replace('http://www.w3.org', '') and 'pictures stand under several identities' in page


@pytest.mark.parametrize('arguments, said', [
    (['dedupe', 'none'], 'none'), (['dedupe', 'set', '--correlation', '2'], '--correlation lies between'),
    (['leak', 'set', 'none.bin'], 'none.bin'), (['clean', 'b.bin'], 'pairs and no identities'),
    (['pairs', 'set'], 'ask for fewer pairs'), (['pairs', 'set', '--pairs', '3'], 'two pairs in each fold'),
    (['pairs', 'set', '--groups', 'set/p00/0.jpg'], 'error'), (['split', 'set', '--shares', 'a=1'], 'between 0 and 1'),
    (['split', 'set', '--shares', 'half'], 'NAME=SHARE'),
    (['split', 'set', '--shares', 'a=0.01,b=0.99'], 'leave a empty'),
    (['clean', 'small'], 'align them first')])
def test_what_cannot_be_done_is_said_in_a_line(folder, tmp_path, faces, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MLAFACE_DATA', str(tmp_path))
    write_bin(tmp_path / 'b.bin', [faces[0][0], faces[0][1]], [True])
    for name in 'ab':
        (tmp_path / 'small' / name).mkdir(parents=True)
        (tmp_path / 'small' / name / '1.jpg').write_bytes(encode(np.zeros((50, 50, 3), np.uint8)))
    model = MODEL if arguments[0] in ('leak', 'clean') else ()
    with pytest.raises(SystemExit) as end:
        main([*arguments, '--out', 'out', *model])
    assert str(end.value.code).startswith('error: ') and said in str(end.value.code)


@pytest.mark.parametrize('verb', ['inspect', 'dedupe', 'leak', 'clean', 'pairs', 'split'])
def test_help(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([verb, '--help'])
    assert end.value.code == 0 and 'Examples:' in capsys.readouterr().out


@pytest.mark.slow
def test_drawn_faces_have_no_copies(tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    for number, images in enumerate(draw(40, 5)):
        (tmp_path / 'set' / str(number)).mkdir(parents=True)
        for count, image in enumerate(images):
            (tmp_path / 'set' / str(number) / f'{count}.jpg').write_bytes(image)
    main(['dedupe', str(tmp_path / 'set'), '--out', str(tmp_path / 'out')])
    assert summary(tmp_path / 'out')['sets'][0]['copies'] == 0


@pytest.mark.slow
@pytest.mark.parametrize('verb, rest, file', [('dedupe', (), 'exclude_1.txt'), ('clean', MODEL, 'exclude.txt')])
def test_twenty_kills_leave_lists_whole_or_absent_and_the_same(folder, tmp_path, monkeypatch, verb, rest, file):
    main([verb, str(folder), '--out', str(tmp_path / 'first'), *rest])
    whole = (tmp_path / 'first' / file).read_bytes()
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'other'))
    start = time.monotonic()
    main([verb, str(folder), '--out', str(tmp_path / 'warm'), *rest])
    last, rng = time.monotonic() - start, np.random.default_rng(0)
    shutil.rmtree(tmp_path / 'other', ignore_errors=True)  # a function as a model keeps nothing there
    for _ in range(20):
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                main([verb, str(folder), '--out', str(tmp_path / 'second'), *rest])
            os._exit(0)
        time.sleep(rng.uniform(0, last))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert not (tmp_path / 'second' / file).exists() or (tmp_path / 'second' / file).read_bytes() == whole
    main([verb, str(folder), '--out', str(tmp_path / 'second'), *rest])
    assert (tmp_path / 'second' / file).read_bytes() == whole


@pytest.mark.parametrize('verb', ['verify', 'inspect'])
def test_a_name_with_ends_of_lines_is_shown_on_one(verb, folder, capsys):
    for name in ('torn\nby \x1b[31m.jpg', 'phone\r.heic'):
        (folder / 'p00' / name).write_bytes(b'junk')
    with pytest.raises(SystemExit, match='1'), pytest.warns(UserWarning, match='phone'):
        main([verb, str(folder)])
    told = capsys.readouterr().out
    assert not any(is_control(character) for character in told.replace('\n', ''))
    for name in (r'torn\nby \x1b[31m.jpg', r'phone\r.heic'):
        line, = (line for line in told.splitlines() if name in line)
        assert f'p00/{name}: ' in line


@pytest.mark.parametrize('arguments, told', [
    (['split', 'SET', '--out', 's3://bucket/out'], 'is an address; stores are only read from'),
    (['convert', 'SET', 'http://host/out', '--to', 'tar'], 'is an address; stores are only read from'),
    (['verify', 'SET', '--write-list', 's3://bucket/list'], 'is an address'),
    (['inspect', 'WRITTEN', '--report', 'WRITTEN'], 'is a set with a summary.json of its own'),
    (['pairs', 'SET', '--out', 'OUT', '--pairs', '40', '--folds', '2', '--name', '../x'], 'has no /'),
    (['pairs', 'SET', '--out', 'OUT', '--seed', '-1'], '--seed'),
    (['split', 'SET', '--out', 'OUT', '--shares', 'x=0.75,exclude_x=0.25'], "'exclude_x' cannot be the name of a part"),
    (['convert', 'SET', 'OUT', '--to', 'bin'], 'out.bin'),
    (['pack', 'SET', 'OUT', '--align', '--min-score', '-1'], 'between 0 and 1'),
    (['pack', 'SET', 'OUT', '--min-score', '0.5'], '--min-score would do nothing: faces are looked for with --align'),
    (['pack', 'SET', 'OUT', '--shard-size', '1'], '--shard-size would do nothing: it is of tar shards'),
    (['pack', 'SET', 'OUT', '--quality', '101'], 'between 1 and 100'),
    (['pack', 'SET', 'OUT', '--workers', 'many'], "--workers: must be a whole number, got 'many'"),
    (['convert', 'SET', 'pairs.bin'], 'draw pairs by mlaface data pairs'),
    (['dedupe', 'SET', '--out', 'OUT', '--model', 'x.onnx'], '--model would do nothing: it is of --by embedding'),
    (['dedupe', 'SET', '--out', 'OUT', '--by', 'bytes', '--correlation', '0.9'], 'it is of --by near'),
    (['verify', 'SET', '--first', '-1'], '--first: must be at least 0'),
    (['inspect', 'SET', '--image-size', '0', '0'], '--image-size: must be at least 1'),
    (['inspect', 'WRITTEN/summary.json'], 'is no set: known are folders, and files that end in .rec'),
    (['pairs', 'SET', '--out', 'OUT', '--groups', 'nope'], 'nope cannot be read'),
])
def test_what_cannot_be_meant_is_refused_and_leaves_nothing(folder, tmp_path, monkeypatch, capsys, arguments, told):
    places = dict(SET=folder, OUT=tmp_path / 'out', WRITTEN=tmp_path / 'written')
    (tmp_path / 'written').mkdir()
    (tmp_path / 'written' / 'summary.json').write_text('{"layout": "folder", "mlaface": "0"}')
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main([str(places.get(word, word)).replace('WRITTEN/', 'written/') for word in arguments])
    assert end.value.code and told in capsys.readouterr().err + str(end.value.code)
    assert sorted(tmp_path.iterdir()) == before


def test_photographs_without_a_face_are_named(tmp_path, faces, monkeypatch):
    """Coloured patterns have none; all of them gone is an error, and some of them lines."""
    from mlaface.cli.parts import aligning
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    for person in ('ada', 'bob'):
        (tmp_path / 'photos' / person).mkdir(parents=True)
        (tmp_path / 'photos' / person / 'noface.jpg').write_bytes(faces[0][0])
    (tmp_path / 'photos' / 'bob' / 'zero.jpg').write_bytes(b'')
    photos, out = str(tmp_path / 'photos'), tmp_path / 'out'
    with pytest.raises(SystemExit, match='no face was found in any of 3 photographs'):
        main(['pack', photos, str(out), '--align'])
    assert not out.exists()
    found = [dict(source='ada/noface.jpg', kept=['ada/noface.jpg'], dropped=None),
             dict(source='bob/noface.jpg', kept=[], dropped='no face'),
             dict(source='bob/zero.jpg', kept=[], dropped='cannot be read', detail='it has no bytes')]

    def align(args, source, target, *_, **__):
        (target / 'ada').mkdir(parents=True)
        (target / 'ada' / 'noface.jpg').write_bytes(faces[0][0])
        (target / 'align.jsonl').write_text(''.join(json.dumps(each) + '\n' for each in [{}, *found]))
        yield from found
    monkeypatch.setattr(aligning, 'aligned', align)
    assert main(['pack', photos, str(out), '--align']) == 1
    assert summary(out)['left_out'] == {'no face': 1, 'cannot be read': 1} and summary(out)['images'] == 1
    assert read_keys(out / 'left_out.txt') == ['bob/noface.jpg', 'bob/zero.jpg']


def test_two_classes_of_one_name_are_no_folders(folder, tmp_path):
    main(['pack', str(folder), str(tmp_path / 'packed')])
    (tmp_path / 'packed' / 'classes.txt').write_text('same\n' * 14)
    with pytest.raises(SystemExit, match="two classes have the name 'same'"):
        main(['unpack', str(tmp_path / 'packed'), str(tmp_path / 'out')])
    assert not list(tmp_path.glob('out*'))


def test_folders_called_as_files_are_identities(folder, tmp_path):
    for name in ('x.tar', 'y.parquet', 'train.rec', 'data.mdb'):
        shutil.copytree(folder / 'p00', folder / name)
    main(['split', str(folder), '--out', str(tmp_path / 'out'), '--shares', 'a=0.5,b=0.5'])
    assert sum(part['identities'] for part in summary(tmp_path / 'out')['parts'].values()) == 18
