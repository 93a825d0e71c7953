"""The files as people have them: line ends, marks, suffixes, folders, and what a torn or foreign one says."""
import json
import shutil

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.synthetic.official import RACES
from mlaface.evaluation.evaluate import evaluate
from mlaface.evaluation.images import files
from mlaface.evaluation.networks.function import CallableNetwork
from mlaface.evaluation.protocols import agedb, ijb, ijb_search, lfw, lists, megaface
from mlaface.evaluation.protocols.registered import open_protocol, openable_protocols

TEXTS = ('.txt', '.csv', '.json')
OFFICIAL = [name for name in openable_protocols() if name != 'pairs']


def copied(official, tmp_path, name):
    return shutil.copytree(official(name), tmp_path / name)


def lists_of(root):
    return [path for path in root.rglob('*') if path.suffix in TEXTS or path.name.startswith('megaface_features')]


def assert_same(found, expected):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, tuple):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('name', OFFICIAL)
def test_line_ends_marks_and_blank_lines_change_nothing(official, tmp_path, name):
    root = copied(official, tmp_path, name)
    for path in lists_of(root):
        text = path.read_text().replace('\n', '\r\n')
        path.write_bytes(b'\xef\xbb\xbf' + (text + '\r\n\r\n').encode())
    assert_same(open_protocol(name, root).benchmarks, open_protocol(name, official(name)).benchmarks)


@pytest.mark.parametrize('name', OFFICIAL)
def test_an_empty_or_foreign_list_is_named(official, tmp_path, name):
    root = copied(official, tmp_path, name)
    for path in lists_of(root):
        text = path.read_text()
        for content in (b'', bytes(range(256))):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=str(path.relative_to(root))):
                open_protocol(name, root)
        path.write_text(text)


@pytest.mark.parametrize('suffix', ['.png', '.JPG', '.jpeg'])
@pytest.mark.parametrize('name', ['lfw', 'calfw', 'agedb', 'rfw', 'tinyface'])
def test_aligned_copies_may_be_of_another_kind(official, tmp_path, name, suffix):
    root = copied(official, tmp_path, name)
    for path in root.rglob('*.jpg'):
        path.rename(path.with_suffix(suffix))
    assert open_protocol(name, root).images.read([0, 3]).shape == (2, 3, 112, 112)


def test_a_file_of_exactly_the_name_comes_first_and_dots_are_no_suffix(tmp_path):
    for name in ('a.JPG', 'a.png', 'm.0x_1.png', 'm.0x_1.pts'):
        (tmp_path / name).touch()
    found = files.find_images(tmp_path, ['a.png', 'a.jpg', 'a', 'm.0x_1', 'm.0x_1.pts'])
    assert found == ['a.png', 'a.JPG', 'a.JPG', 'm.0x_1.png', 'm.0x_1.pts']
    with pytest.raises(FileNotFoundError, match=r'2 images .* m.0y_1.jpg, é/b.jpg. Is the list of another set'):
        files.find_images(tmp_path, ['a.png', 'm.0y_1', 'é/b.jpg'])


def test_names_may_hold_blanks_and_letters_of_any_language_where_tabs_part_them(tmp_path):
    path = tmp_path / 'pairs.txt'
    path.write_text('1\t1\nJosé Ibáñez\t1\t2\nJosé Ibáñez\t1\tLi 丽\t2\n', encoding='utf-8')
    names, people, issame, _ = lfw.read_lfw_pairs(path)
    assert names[-1] == 'Li 丽/Li 丽_0002' and people[0].tolist() == ['José Ibáñez'] * 2 and issame.tolist() == [1, 0]
    path.write_text('José Ibáñez\t1\t2\n', encoding='latin-1')
    with pytest.raises(ValueError, match=r'pairs.txt is no UTF-8 text'):
        lfw.read_lfw_pairs(path)


def test_a_list_of_another_set_names_what_is_not_there(official, tmp_path):
    root = copied(official, tmp_path, 'calfw')
    (root / 'pairs_CALFW.txt').write_text('X_0001.jpg 1\nX_0002.jpg 1\n')
    with pytest.raises(FileNotFoundError, match='2 images of the list are not in .*X_0001.jpg, X_0002.jpg'):
        open_protocol('calfw', root)


def test_labels_of_different_pairs_are_0_or_minus_1(tmp_path):
    path = tmp_path / 'agedb_30_pair.txt'
    path.write_text('a b 1\nc d -1\ne f 0\n')
    assert agedb.read_labelled_pairs(path)[2].tolist() == [True, False, False]


def test_folds_of_a_list_stay_where_they_hold_both_kinds(tmp_path):
    path = tmp_path / 'pairs.txt'
    path.write_text(''.join(f'a{k} b{k} {int(k % 3 == 0)}\n' for k in range(30)))
    assert agedb.read_labelled_pairs(path)[0][::2] == [f'a{k}' for k in range(30)]
    path.write_text(''.join(f'a{k} b{k} {int(k < 10)}\n' for k in range(30)))
    assert agedb.read_labelled_pairs(path)[2].reshape(10, 3).tolist() == [[True, False, False]] * 10


def test_agedb_is_read_from_its_published_folds(official):
    path = lists.find_file(official('agedb'), '**/*.mat')
    names, _, issame, folds = agedb.read_splits(path)
    assert folds == 10 and issame.reshape(10, 4).tolist() == [[True, True, False, False]] * 10
    assert names[:2] == ['0_Person000_70_f', '1_Person000_35_f'] and names[4:6] == ['0_Person000_70_f',
                                                                                     '3_Person001_35_f']
    people = open_protocol('agedb', official('agedb')).benchmarks['agedb']['subjects']
    assert ((people[:, 0] == people[:, 1]) == issame).all()
    assert agedb.people_of(['1.jpg', '2.jpg']) is None


def test_torn_folds_of_agedb_are_an_error(tmp_path):
    def fold(pairs, labels):
        sides = np.empty((2, pairs), object)
        sides[:] = 'x'
        return dict(images=sides, labels=np.int8(labels))
    splits = np.empty((2, 1), object)
    for parts, message in (((fold(2, [1, -1]), fold(1, [1])), 'the folds have 2, 1 pairs'),
                           ((fold(2, [1, -1]), fold(2, [1])), 'fold 2 is not two rows'),
                           ((fold(2, [1, 7]), fold(2, [1, 1])), 'fold 1 is not two rows')):
        splits[:, 0] = parts
        savemat(tmp_path / 'a.mat', dict(splits=splits))
        with pytest.raises(ValueError, match=message):
            agedb.read_splits(tmp_path / 'a.mat')
    savemat(tmp_path / 'a.mat', dict(other=1))
    with pytest.raises(ValueError, match='a.mat lacks splits; it holds other'):
        agedb.read_splits(tmp_path / 'a.mat')
    torn = (tmp_path / 'a.mat').read_bytes()[:170]
    for content in (torn, b'MATLAB 7.3 MAT-file'):
        (tmp_path / 'a.mat').write_bytes(content)
        with pytest.raises(ValueError, match='a.mat cannot be read as a MATLAB file'):
            agedb.read_splits(tmp_path / 'a.mat')


def test_rfw_is_aligned_by_its_points_unless_it_is_already(official, tmp_path):
    root = copied(official, tmp_path, 'rfw')
    expected = open_protocol('rfw', root).images.read([0])[0]
    path = root / 'data/African/Person_000/Person_000_0001.jpg'
    large = cv2.copyMakeBorder(cv2.resize(cv2.imread(str(path)), (224, 224)), 40, 20, 60, 30, cv2.BORDER_CONSTANT)
    cv2.imwrite(str(path), large)
    scaled = open_protocol('rfw', shutil.copytree(root, tmp_path / 'without',
                                                  ignore=shutil.ignore_patterns('*_lmk.txt'))).images
    assert np.abs(scaled.read([0])[0].astype(int) - expected).mean() > 20 and scaled.scaled
    listed = root / 'txts/African/African_lmk.txt'
    lines = listed.read_text().splitlines()
    numbers = np.array(lines[0].split('\t')[2:], float) * 2 + 0.5 + [60, 40] * 5
    lines[0] = '\t'.join([*lines[0].split('\t')[:2], *map(str, numbers)])
    listed.write_text('\n'.join(lines))
    aligned = open_protocol('rfw', root).images
    assert np.abs(aligned.read([0])[0].astype(int) - expected).mean() < 3 and aligned.scaled is None
    listed.write_text('\n'.join(lines[1:]))
    with pytest.raises(ValueError, match='African_lmk.txt has no points of Person_000/Person_000_0001'):
        open_protocol('rfw', root)


def test_torn_lists_of_rfw_and_cfp_are_errors(official, tmp_path):
    for name, file in (('rfw', 'txts/Asian/Asian_pairs.txt'), ('cfp', 'Protocol/Split/FF/07/diff.txt')):
        root = copied(official, tmp_path, name)
        (root / file).write_text('\n'.join((root / file).read_text().splitlines()[:-1]))
        with pytest.raises(ValueError, match='Asian_pairs.txt: 39 pairs|07 has 3 pairs, and .*01 4'):
            open_protocol(name, root)


def test_rfw_of_four_bins_has_the_numbers_of_its_images(official, tmp_path):
    suite = open_protocol('rfw', official('rfw'))
    for race, group in suite.benchmarks['rfw']['groups'].items():
        rows = range(group['start'], group['start'] + group['images'])
        write_bin(tmp_path / f'{race}_test.bin', [(suite.images.root / suite.images.names[row]).read_bytes()
                                                  for row in rows], group['issame'])
    network = CallableNetwork('toy_networks:grid')
    found, expected = (evaluate(network, each).result['benchmarks']['rfw']
                       for each in (open_protocol('rfw', tmp_path), suite))
    assert found['metrics'] == expected['metrics'] and found['groups'] == expected['groups']
    (tmp_path / 'Indian_test.bin').unlink()
    with pytest.raises(FileNotFoundError, match=r'no Indian\*.bin'):
        open_protocol('rfw', tmp_path)
    assert list(expected['groups']) == list(RACES)


def test_a_probe_of_nobody_in_the_galleries_is_an_error(official, tmp_path):
    root = copied(official, tmp_path, 'ijbc')
    path = root / 'meta/ijbc_1N_probe_mixed.csv'
    path.write_text(path.read_text() + '2000,77,img/1.jpg\n')
    with pytest.raises(ValueError, match='template 2000 has two subjects'):
        open_protocol('ijbc', root)
    path.write_text(path.read_text().replace('2000,77', '2099,77'))
    with pytest.raises(ValueError, match=r'subject 77 of probe template 2099 is in no gallery \(G1, G2; 1 such\)'):
        open_protocol('ijbc', root)


def test_a_table_without_headings_loses_no_line(tmp_path):
    for heading in ('', 'TEMPLATE_ID,SUBJECT_ID,FILENAME\n'):
        (tmp_path / 'g.csv').write_text(heading + '1,5,a\n2,6,b\n')
        assert ijb_search.read_subjects(tmp_path / 'g.csv')[0].tolist() == [1, 2]


def test_points_that_no_face_can_be_aligned_by_are_named(tmp_path):
    path = tmp_path / 'points.txt'
    for wrong in ('nan', '5 ' * 9 + '5'):
        path.write_text(f'1.jpg {"1 2 3 4 5 6 7 8 9 10" if " " in wrong else "1 2 3 4 5 6 7 8 9 nan"} 0.9\n'
                        f'2.jpg {wrong if " " in wrong else "1 2 3 4 5 6 7 8 9 10"} 0.9\n')
        with pytest.raises(ValueError, match=r'line \d: [12].jpg has no five different finite points'):
            ijb.read_landmarks(path, ['1.jpg', '2.jpg'])


def test_other_files_among_distractors_are_passed_over(official, tmp_path):
    root = copied(official, tmp_path, 'tinyface')
    for other in ('.DS_Store', 'Thumbs.db', '._1.jpg'):
        (root / 'Testing_Set/Gallery_Distractor' / other).write_bytes(b'x')
    assert len(open_protocol('tinyface', root).images) == len(open_protocol('tinyface', official('tinyface')).images)


def test_the_largest_list_of_distractors_is_taken_and_of_those_the_first(official, tmp_path):
    root = copied(official, tmp_path, 'megaface')
    whole = json.loads(next((root / 'devkit').rglob('*json_10_1')).read_text())['path']
    for name, count in (('100_2', 1), ('100_1', 7), ('20_1', 2), ('100_10', 3), ('old', 4)):
        (root / f'devkit/megaface_features_list.json_{name}').write_text(json.dumps(dict(path=whole[:count])))
    assert len(open_protocol('megaface', root).images) == 18 + 7


def test_people_of_mixed_kinds_are_an_error(tmp_path):
    path = tmp_path / 'facescrub_features_list.json'
    path.write_text(json.dumps(dict(path=['a', 'b'], id=[1, '1'])))
    with pytest.raises(ValueError, match='id mixes int and str'):
        megaface.read_list(path, ('path', 'id'))
    path.write_text(json.dumps(dict(path=3, id=4)))
    with pytest.raises(ValueError, match='features_list.json is not a list of the development kit'):
        megaface.read_list(path, ('path', 'id'))
