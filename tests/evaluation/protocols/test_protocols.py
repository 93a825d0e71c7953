"""Official formats: every protocol end to end on its own files, the parsers line by line, and faults by name."""
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mlaface.evaluation.evaluate import evaluate
from mlaface.evaluation.images.alignment import TEMPLATE, similarity
from mlaface.evaluation.networks.color_check import check_colors
from mlaface.evaluation.networks.function import CallableNetwork
from mlaface.evaluation.protocols import agedb, calfw, ijb_search, lfw
from mlaface.evaluation.protocols.registered import open_protocol, openable_protocols
from mlaface.evaluation.results.certainty import compare_samples
from mlaface.evaluation.suite import Suite
from mlaface.registry import PROTOCOLS

NETWORK = 'toy_networks:grid'
NAMES = ['lfw', 'xqlfw', 'cfp', 'agedb', 'calfw', 'cplfw', 'rfw', 'ijbb', 'ijbc', 'tinyface', 'megaface']


@pytest.mark.parametrize('name', NAMES)
def test_every_protocol_runs_on_its_files(official, name):
    suite = open_protocol(name, official(name))
    found = evaluate(CallableNetwork(NETWORK), suite)
    again = evaluate(CallableNetwork(NETWORK), suite, batch_size=7, workers=0)
    for key, entry in found.result['benchmarks'].items():
        assert entry['metrics'] and entry['metrics'] == again.result['benchmarks'][key]['metrics']
        assert entry['rules']['flip'] == 'sum'
        assert entry['protocol'] == suite.benchmarks[key]['protocol']


def test_every_opener_is_tested():
    assert set(openable_protocols()) == {*NAMES, 'pairs'}


@pytest.mark.parametrize('name', NAMES)
def test_every_protocol_has_intervals_and_is_compared(official, name):
    suite = open_protocol(name, official(name))
    found, other = (evaluate(CallableNetwork(f'toy_networks:{kind}'), suite, bootstrap=20)
                    for kind in ('grid', 'coarse'))
    for key, entry in found.result['benchmarks'].items():
        assert entry['bootstrap']['unit'] == 'people'
        compared = compare_samples(found.sample(key), other.sample(key), 20)
        at, theirs = entry, other.result['benchmarks'][key]
        for part in found.sample(key).headline:
            at, theirs = at[part], theirs[part]
        assert {'value', 'low', 'high', 'confidence'} <= set(at)
        assert compared['difference']['value'] == pytest.approx(at['value'] - theirs['value'], abs=1e-12)


def people_of(name, benchmark):
    """The person in each image; the drawn sets name their files by person."""
    names = [str(Path(file).with_suffix('')) for file in benchmark['names']]
    if name in ('ijbb', 'ijbc'):  # five images a person, in order
        return [(int(file) - 1) // 5 for file in names]
    if name == 'agedb':
        return agedb.people_of(benchmark['names']).ravel().tolist()
    if name == 'cfp':
        return [file.split('/')[2] for file in names]
    people = [re.sub(r'_\d+$', '', file) for file in names]  # Person_003_0001, 3_1; a distractor's name is a person's
    return [re.sub(r'^(Probe|Gallery_Match)/', '', person) for person in people]


class RedPeople:
    """Images in which people differ by their red alone; blue is noise."""

    def __init__(self, people):
        self.people = np.unique(people, return_inverse=True)[1]

    def read(self, rows):
        draw = [[np.random.default_rng((person, red)).integers(0, 256, (7, 7)) for person, red in
                 ((self.people[row], 0), (row, 1), (row, 2))] for row in rows]
        return np.kron(np.array(draw, np.uint8), np.ones((16, 16), np.uint8))


@pytest.mark.parametrize('name', NAMES)
def test_colors_are_checked_on_true_pairs_of_every_protocol(official, name):
    """What is called same must be one person, and the other two; a model of the other colours is warned of."""
    suite = open_protocol(name, official(name))
    for key, benchmark in suite.benchmarks.items():
        people = np.array(people_of(name, benchmark))
        rows, issame = PROTOCOLS.build(dict(type=benchmark['protocol'])).image_pairs(benchmark)
        assert issame.any() and not issame.all()
        assert ((people[rows[:, 0]] == people[rows[:, 1]]) == issame).all()
        if 'templates' in benchmark:
            assert (benchmark['templates'][rows[:, 0]] != benchmark['templates'][rows[:, 1]]).all()
        colored = Suite(RedPeople(['?'] * benchmark['start'] + people.tolist()), {key: benchmark})
        for color, warned in (('RGB', True), ('BGR', False)):
            network = CallableNetwork('toy_networks:third_only', options=dict(color=color))
            found = check_colors(network, evaluate(network, colored), key, 40)
            assert found.better_swapped == warned and found.pairs <= 40


def test_lfw_lines(tmp_path):
    path = tmp_path / 'pairs.txt'
    path.write_text('2\t1\nAda\t1\t4\nAda\t1\tBob\t2\nBob\t1\t3\nAda\t4\tBob\t12\n')
    names, people, issame, folds = lfw.read_lfw_pairs(path)
    assert names[:4] == ['Ada/Ada_0001', 'Ada/Ada_0004', 'Ada/Ada_0001', 'Bob/Bob_0002']
    assert names[-1] == 'Bob/Bob_0012' and folds == 2
    assert issame.tolist() == [True, False, True, False]
    assert people[3].tolist() == ['Ada', 'Bob']


def test_flat_lists_get_folds_of_both_kinds(official):
    names, people, issame, folds = calfw.read_flat_pairs(official('calfw') / 'pairs_CALFW.txt')
    assert issame.reshape(folds, -1).sum(axis=1).tolist() == [2] * 10
    assert ((people[:, 0] == people[:, 1]) == issame).all()


@pytest.mark.parametrize('read, lines, message', [
    (calfw.read_flat_pairs, 'a_0001.jpg 1\na_0002.jpg 1\nb_0001.jpg 0\n', r'odd number of images \(3\)'),
    (calfw.read_flat_pairs, 'a_0001.jpg 1\na_0002.jpg 0\n', 'line 1: the lines of a pair'),
    (calfw.read_flat_pairs, 'a_0001.jpg\n', 'line 1: 1 fields'),
    (calfw.read_flat_pairs, 'a_1.jpg -1\nb_1.jpg -1\n', 'line 1: the label is -1'),
    (agedb.read_labelled_pairs, 'a b 1\nc d 2\n', "line 2: the label is '2'"),
])
def test_torn_and_disagreeing_lines_are_errors(tmp_path, read, lines, message):
    path = tmp_path / 'pairs.txt'
    path.write_text(lines)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_a_missing_image_is_named(official, tmp_path):
    root = tmp_path / 'lfw'
    shutil.copytree(official('lfw'), root)
    (root / 'images/Person_003/Person_003_0002.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='1 images of the list.*Person_003/Person_003_0002.jpg'):
        open_protocol('lfw', root)


def test_a_missing_list_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match='ijbc_face_tid_mid.txt'):
        open_protocol('ijbc', tmp_path)


def test_cfp_index_without_image_is_an_error(official, tmp_path):
    root = tmp_path / 'cfp'
    shutil.copytree(official('cfp'), root)
    (root / 'Protocol/Split/FP/03/diff.txt').write_text('1,9999\n')
    with pytest.raises(ValueError, match='03/diff.txt, line 1: 1,9999 names an image'):
        open_protocol('cfp', root)


def changed(official, tmp_path, name, file, change):
    root = tmp_path / name
    shutil.copytree(official(name), root)
    path = root / file
    path.write_text(change(path.read_text()))
    return root


def test_a_template_without_images_is_an_error(official, tmp_path):
    root = changed(official, tmp_path, 'ijbc', 'meta/ijbc_template_pair_label.txt', lambda text: text + '1000 777 0\n')
    with pytest.raises(ValueError, match='ijbc: .*777'):
        evaluate(CallableNetwork(NETWORK), open_protocol('ijbc', root))


def test_a_gallery_or_probe_template_without_images_is_an_error(official, tmp_path):
    for list_name, message in (('gallery_G2', 'gallery G2'), ('probe_mixed', 'the list of probes')):
        root = changed(official, tmp_path / list_name, 'ijbc', f'meta/ijbc_1N_{list_name}.csv',
                       lambda text: text + '7777,1,img/1.jpg\n')
        with pytest.raises(ValueError, match=f'ijbc_1n: {message} names 1 templates without images, the first 7777'):
            evaluate(CallableNetwork(NETWORK), open_protocol('ijbc', root))


@pytest.mark.parametrize('value, word', [(np.nan, 'not finite'), (0, 'zero')])
@pytest.mark.parametrize('name', NAMES)
def test_an_unusable_embedding_is_named_in_every_protocol(official, monkeypatch, name, value, word):
    import toy_networks

    def broken(images):
        rows = toy_networks.grid(images)
        rows[0] = value
        return rows
    monkeypatch.setattr(toy_networks, 'broken', broken, raising=False)
    suite = open_protocol(name, official(name))
    first = next(iter(suite.benchmarks.values()))
    with pytest.raises(ValueError, match=rf'{re.escape(suite.images.names[first["start"]])}.* is {word}'):
        evaluate(CallableNetwork('toy_networks:broken'), suite, batch_size=suite.count)


def test_landmarks_of_other_images_are_an_error(official, tmp_path):
    root = changed(official, tmp_path, 'ijbc', 'meta/ijbc_name_5pts_score.txt', lambda text: text.replace('3.jpg', 'x'))
    with pytest.raises(ValueError, match='line 3: names image x, and the list of templates 3.jpg'):
        open_protocol('ijbc', root)


@pytest.mark.parametrize('lines, message', [
    (['10\t300', 'Ada\t1\t2'], '1 pairs, and its first line says 6000'), (['10\t300'], '0 pairs'), ([''], 'is empty'),
    (['Ada\t1'], r'Ada|whole number'), (['Ada\t1\tx'], 'line 1: .x. is no whole number'),
    (['1\t1', 'Ada\t1\tBob\t2\t3'], 'line 2: 5 fields')])
def test_a_torn_or_foreign_list_of_pairs_is_an_error(tmp_path, lines, message):
    (tmp_path / 'pairs.txt').write_text('\n'.join(lines) + '\n')
    with pytest.raises(ValueError, match=message):
        lfw.read_lfw_pairs(tmp_path / 'pairs.txt')


def test_a_development_list_is_not_taken_for_the_protocol(official, tmp_path):
    shutil.copytree(official('lfw'), tmp_path / 'lfw')
    (tmp_path / 'lfw/pairs.txt').rename(tmp_path / 'lfw/pairsDevTest.txt')
    with pytest.raises(FileNotFoundError, match='pairsDevTest'):
        open_protocol('lfw', tmp_path / 'lfw')


def test_a_label_of_templates_that_is_neither_is_an_error(official, tmp_path):
    root = changed(official, tmp_path, 'ijbc', 'meta/ijbc_template_pair_label.txt', lambda text: text + '1000 2000 2\n')
    with pytest.raises(ValueError, match='line 145: the label is 2'):
        open_protocol('ijbc', root)


def test_images_that_were_scaled_instead_of_aligned_are_noticed(official, tmp_path):
    import cv2
    suite = open_protocol('lfw', official('lfw'))
    suite.images.read([0, 1])
    assert suite.images.scaled is None
    shutil.copytree(official('lfw'), tmp_path / 'lfw')
    path = tmp_path / 'lfw/images/Person_000/Person_000_0001.jpg'
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (250, 240)))
    suite = open_protocol('lfw', tmp_path / 'lfw')
    assert suite.images.read([0]).shape == (1, 3, 112, 112)
    assert suite.images.scaled == ('Person_000/Person_000_0001.jpg', 240, 250)


def test_a_template_of_two_subjects_is_an_error(tmp_path):
    path = tmp_path / 'g.csv'
    path.write_text('TEMPLATE_ID,SUBJECT_ID,FILENAME\n1,5,a\n1,6,b\n')
    with pytest.raises(ValueError, match='template 1 has two subjects'):
        ijb_search.read_subjects(path)


def test_a_probe_without_mate_is_an_error(official, tmp_path):
    from scipy.io import loadmat, savemat
    root = tmp_path / 'tinyface'
    shutil.copytree(official('tinyface'), root)
    path = root / 'Testing_Set/probe_img_ID_pairs.mat'
    content = {key: value for key, value in loadmat(path).items() if not key.startswith('__')}
    content['probe_ids'][2] = 99
    savemat(path, content)
    with pytest.raises(ValueError, match='subject 99 of probe image 2'):
        evaluate(CallableNetwork(NETWORK), open_protocol('tinyface', root))


def test_an_undecodable_image_is_named(official, tmp_path):
    root = tmp_path / 'lfw'
    shutil.copytree(official('lfw'), root)
    (root / 'images/Person_003/Person_003_0002.jpg').write_bytes(b'no image')
    with pytest.raises(ValueError, match='Person_003_0002.jpg: .* no image.*Copy it again'):
        evaluate(CallableNetwork(NETWORK), open_protocol('lfw', root))


def test_ijb_compat_rules_are_those_of_the_published_scripts(official):
    found = evaluate(CallableNetwork(NETWORK), open_protocol('ijbc', official('ijbc')), dict(compat='insightface'))
    assert found.result['benchmarks']['ijbc']['rules'] == dict(flip='sum', norm='none', quality='detector',
                                                               far_rule='nearest')


def test_similarity_undoes_a_turn_with_scale_and_shift():
    angle, scale = 0.4, 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = TEMPLATE @ turn.T + (30, -12)
    matrix = similarity(moved, TEMPLATE)
    np.testing.assert_allclose(moved @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-9)


def test_similarity_never_mirrors():
    matrix = similarity(TEMPLATE * (-1, 1), TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0
