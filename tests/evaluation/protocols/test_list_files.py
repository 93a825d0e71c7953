"""Lists of every protocol: what is listed is read, whatever ends a line; what is damaged is named."""
import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlaface.evaluation.protocols import agedb, calfw, cfp, ijb, ijb_search, lfw, megaface, rfw
from mlaface.evaluation.protocols.lists import read_fields
from tests.damage import check_refusals, damaged_copies

# names as people have them: letters of any script, digits, marks; what parts fields or lines is none of a name
NAMES = st.text(st.characters(categories=('L', 'N', 'P', 'S'), exclude_characters='\ufeff,"#'), min_size=1, max_size=8)
FORMS = st.tuples(st.sampled_from(['\n', '\r\n', '\r', '\n\n', ' \n', '\n \t\n']), st.booleans(), st.booleans())
NUMBERS = st.integers(0, 99999)


def put(path, lines, form):
    """Lines as an editor of some system saves them."""
    end, marked, ended = form
    text = end.join(lines) + (end if ended else '')
    path.write_bytes((b'\xef\xbb\xbf' if marked else b'') + text.encode())
    return path


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    return tmp_path_factory.mktemp('lists') / 'the_list.txt'


@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, NUMBERS, NAMES, NUMBERS, st.booleans()), min_size=1, max_size=6), FORMS,
       st.sampled_from(['\t', ' ']))
def test_pairs_of_lfw(file, pairs, form, between):
    lines = [between.join(map(str, (a, i, j) if same else (a, i, b, j))) for a, i, b, j, same in pairs]
    names, people, issame, folds = lfw.read_lfw_pairs(put(file, lines, form))
    assert names == [image for a, i, b, j, same in pairs
                     for image in (f'{a}/{a}_{i:04}', f'{a if same else b}/{a if same else b}_{j:04}')]
    assert people.tolist() == [[a, a if same else b] for a, _, b, _, same in pairs]
    assert issame.tolist() == [same for *_, same in pairs] and folds == 10


@settings(max_examples=40)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(-1, 1), FORMS)
def test_the_header_of_lfw_counts_what_follows(file, folds, of_each, off, form):
    count = 2 * folds * of_each + off
    put(file, [f'{folds}\t{of_each}', *[f'a\t{k}\t{k + 1}' for k in range(count)]], form)
    if off:
        with pytest.raises(ValueError, match=f'the_list.txt has {count} pairs, and its first line says'):
            lfw.read_lfw_pairs(file)
    else:
        assert len(lfw.read_lfw_pairs(file)[2]) == count and lfw.read_lfw_pairs(file)[3] == folds


@settings(max_examples=40)
@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 9)), min_size=1, max_size=25), FORMS)
def test_pairs_of_calfw(file, pairs, form):
    lines = [f'{name}_{k}.jpg {token}' for a, b, token in pairs for k, name in enumerate((a, b))]
    names, people, issame, _ = calfw.read_flat_pairs(put(file, lines, form))
    found = sorted(zip(names[::2], names[1::2], issame.tolist()))
    assert found == sorted((f'{a}_0.jpg', f'{b}_1.jpg', token > 0) for a, b, token in pairs)
    assert all(name.endswith(f'{person}_{k % 2}.jpg') or '/' in name
               for k, (name, person) in enumerate(zip(names, people.ravel())))


@settings(max_examples=40)
@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(['1', '0', '-1'])), min_size=1, max_size=30), FORMS)
def test_labelled_pairs(file, pairs, form):
    names, people, issame, folds = agedb.read_labelled_pairs(put(file, list(map(' '.join, pairs)), form))
    assert sorted(zip(names[::2], names[1::2], issame.tolist())) == sorted((a, b, k == '1') for a, b, k in pairs)
    assert people is None and folds == 10


@settings(max_examples=40)
@given(st.lists(st.tuples(NAMES, NUMBERS, NUMBERS), min_size=1, max_size=8), FORMS, st.sampled_from(['\t', ' ']))
def test_media_and_points_of_ijb(file, rows, form, between):
    names, templates, media = ijb.read_media(put(file, [between.join(map(str, row)) for row in rows], form))
    assert names == [row[0] for row in rows]
    assert np.stack([templates, media], axis=1).tolist() == [list(row[1:]) for row in rows]
    points = np.random.default_rng(len(rows)).normal(50, 20, (len(rows), 11))
    put(file, [between.join([row[0], *map(repr, line.tolist())]) for row, line in zip(rows, points)], form)
    found, scores = ijb.read_landmarks(file, names)
    np.testing.assert_array_equal(np.column_stack([found.reshape(-1, 10), scores]), points)


def test_a_name_with_a_blank_and_a_number_takes_nothing_of_its_points(file):
    put(file, ['\t'.join(['a 1', *map(str, range(1, 12))])], ('\n', False, True))
    points, scores = ijb.read_landmarks(file, ['a 1'])
    assert points.ravel().tolist() == list(range(1, 11)) and scores.tolist() == [11]


@settings(max_examples=40)
@given(st.dictionaries(st.integers(0, 2**62), NUMBERS, min_size=1, max_size=8), FORMS, st.booleans())
def test_templates_and_subjects_of_ijb(file, known, form, headed):
    assume(form[0] not in ('\r', ' \n', '\n \t\n'))  # numpy reads these: blank lines are those without a blank
    lines = [f'{template},{subject},a.jpg' for template, subject in known.items()]
    put(file, [*(['TEMPLATE_ID,SUBJECT_ID,FILENAME'] if headed else []), *lines, *lines[:2]], form)
    templates, subjects = ijb_search.read_subjects(file)
    assert dict(zip(templates.tolist(), subjects.tolist())) == known and (np.diff(templates) > 0).all()


@settings(max_examples=30)
@given(st.lists(NAMES.filter(lambda name: '/' not in name), min_size=1, max_size=6, unique=True), FORMS)
def test_points_of_rfw(file, people, form):
    points = np.random.default_rng(len(people)).normal(50, 20, (len(people), 5, 2))
    names = [f'{person}/{person}_0001' for person in people]
    put(file, ['\t'.join([f'/data/{name}.jpg', '0', *map(repr, face.ravel().tolist())])
               for name, face in zip(names, points)], form)
    np.testing.assert_array_equal(rfw.read_landmarks(file, names[::-1]), points[::-1])


@pytest.mark.parametrize('numbers', ['nan 2 3 4 5 6 7 8 9 10', '1 1 1 1 1 1 1 1 1 1', 'inf 2 3 4 5 6 7 8 9 10'])
def test_points_that_align_no_face_are_named(file, numbers):
    file.write_text(f'a/a_1 0 1 2 3 4 5 6 7 8 9 10\n\na/a_2 0 {numbers}\n')
    assert rfw.read_landmarks(file, ['a/a_1']).shape == (1, 5, 2)
    with pytest.raises(ValueError, match=r'the_list.txt, line 3: a/a_2 has no five different finite points'):
        rfw.read_landmarks(file, ['a/a_2', 'a/a_1'])
    file.write_text(f'a 1 2 3 4 5 6 7 8 9 10 0.5\n\nb {numbers} 0.5\n')
    with pytest.raises(ValueError, match=r'the_list.txt, line 3: b has no five different finite points'):
        ijb.read_landmarks(file, ['a', 'b'])


@settings(max_examples=40)
@given(st.lists(st.tuples(NAMES, st.one_of(st.integers(-5, 2**70), NAMES)), min_size=1, max_size=6), st.booleans())
def test_lists_of_megaface(file, rows, ascii_only):
    paths, ids = map(list, zip(*rows))
    file.write_bytes(json.dumps(dict(path=paths, id=ids), ensure_ascii=ascii_only).encode())
    if len(set(map(type, ids))) == 1:
        assert megaface.read_list(file, ('path', 'id')) == [paths, ids]
    else:
        with pytest.raises(ValueError, match='the_list.txt: id mixes int and str'):
            megaface.read_list(file, ('path', 'id'))


@pytest.mark.parametrize('content', [
    b'{"path": ' + b'[' * 10**5, b'{"path": [1, 2]}', b'{"path": [["a"]]}', b'{"path": [null]}', b'[]', b'{"path": {}}',
    b'{"path": []}', b'\xff\xfe{}', b'{"path": [NaN]}'])
def test_what_is_no_list_of_megaface_is_named(file, content):
    file.write_bytes(content)
    with pytest.raises(ValueError, match='the_list.txt'):
        megaface.read_list(file, ('path',))


WHOLE = {
    'lfw': (lfw.read_lfw_pairs, '1\t2\na\t1\t2\na\t1\tb\t2\nc\t1\t2\nc\t1\tb\t2\n'),
    'calfw': (calfw.read_flat_pairs, 'a_0001.jpg 1\na_0002.jpg 1\nb_0001.jpg 0\nc_0001.jpg 0\n'),
    'agedb': (agedb.read_labelled_pairs, 'a b 1\nc d 0\ne f -1\n'),
    'cfp': (cfp._numbered, '1 ../Data/1/frontal/01.jpg\n'),
    'media': (ijb.read_media, '1.jpg 1 2\n2.jpg 3 4\n'), 'pairs': (ijb.read_pairs, '1 2 0\n1 3 1\n'),
    'points': (lambda path: ijb.read_landmarks(path, ['1', '2']), ''.join(
        f'{k} 1 2 3 4 5 6 7 8 9 10 0.9\n' for k in (1, 2))),
    'subjects': (ijb_search.read_subjects, 'TEMPLATE_ID,SUBJECT_ID,F\n1,2,x\n3,4,y\n'),
    'rfw': (lambda path: rfw.read_landmarks(path, ['a/a_0001']), '/x/a/a_0001.jpg 1 1 2 3 4 5 6 7 8 9 10\n'),
    'megaface': (lambda path: megaface.read_list(path, ('path', 'id')), '{"path": ["a/b.png", "c"], "id": ["x", "y"]}')}


@pytest.mark.parametrize('kind', WHOLE)
def test_a_damaged_list_is_read_or_named(kind, file):
    read, text = WHOLE[kind]
    file.write_text(text)
    read(file)
    copies = damaged_copies(text.encode(), 120, cuts=100)
    assert check_refusals(file, copies, read) < len(copies)


@pytest.mark.parametrize('kind', ['media', 'pairs', 'subjects'])
def test_a_number_that_no_computer_word_holds_is_named(kind, file):
    read, text = WHOLE[kind]
    file.write_text(text.replace('3', '9' * 30))
    with pytest.raises(ValueError, match='the_list.txt'):
        read(file)


@settings(max_examples=60)
@given(st.lists(st.lists(NAMES, min_size=1, max_size=4), min_size=1, max_size=5), FORMS)
def test_fields_are_counted_and_lines_numbered(file, lines, form):
    put(file, list(map(' '.join, lines)), form)
    wrong = next((fields for fields in lines if len(fields) not in (2, 3)), None)
    if wrong is None:
        rows = read_fields(file, (2, 3))
        assert [fields for _, fields in rows] == lines
        assert [number for number, _ in rows] == list(range(1, 99 * len(lines), 2 if form[0].count('\n') == 2 else 1)
                                                      )[:len(lines)]
    else:
        with pytest.raises(ValueError, match=rf'the_list.txt, line \d+: {len(wrong)} fields, and 2 or 3 are needed'):
            read_fields(file, (2, 3))
