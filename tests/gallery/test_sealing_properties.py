"""Sealing, coding and transfer: any person comes back; nothing that was changed, moved or cut is taken for true."""
import base64
import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.gallery import Enrolment, Gallery
from mlaface.gallery.coding import Coding
from mlaface.gallery.records import check_embeddings, check_name
from mlaface.gallery.sealing import Checked, Encrypted, open_seal, proof, read_key
from mlaface.gallery.transfer import read, stated_model
from mlaface.utils.errors import InputError
from tests.damage import check_refusals, damaged_copies, flipped
from tests.gallery.people import KEY, MODEL, SIZE, person

pytest.importorskip('cryptography', reason='cryptography is not installed')
SEALS = dict(crc32=lambda gallery: Checked(gallery), aes=lambda gallery: Encrypted(gallery, KEY))
OWNERS, KINDS = st.integers(0, 2**63 - 1), st.sampled_from(['name', 'embedding', 'metadata', 'picture', 'proof'])
NAMES = st.text(min_size=1, max_size=12)
JSON = st.dictionaries(st.text(st.characters(exclude_categories=['Cs']), max_size=3), st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=['Cs']), max_size=5),
    st.lists(st.integers(), max_size=3)), max_size=3)


@settings(max_examples=40)
@given(st.sampled_from(sorted(SEALS)), st.binary(max_size=60), KINDS, OWNERS)
def test_what_is_sealed_comes_back_from_its_own_place_only(kind, data, what, owner):
    seal = SEALS[kind]('one')
    sealed = seal.seal(data, what, owner)
    assert SEALS[kind]('one').unseal(sealed, what, owner) == data
    for other, place in ((seal, (f'{what}x', owner)), (seal, (what, owner ^ 1)), (SEALS[kind]('two'), (what, owner))):
        with pytest.raises(InputError, match='damaged'):
            other.unseal(sealed, *place)
    with pytest.raises(InputError, match='damaged'):
        Encrypted('one', bytes(32)).unseal(seal.seal(data, what, owner), what, owner)


@pytest.mark.parametrize('kind', SEALS)
def test_no_flipped_bit_and_no_cut_is_taken(kind):
    seal = SEALS[kind]('one')
    sealed = seal.seal(b'somebody', 'name', 3)
    damaged = [sealed[:place] for place in range(len(sealed))] + [sealed + b'\0', b'\0' + sealed]
    damaged += [bytes([*sealed[:place], sealed[place] ^ 1 << bit, *sealed[place + 1:]])
                for place in range(len(sealed)) for bit in range(8)]
    for copy in damaged:
        with pytest.raises(InputError, match='name of person 3'):
            seal.unseal(copy, 'name', 3)


def test_a_key_tells_two_galleries_apart_and_shows_nothing():
    one, two = Encrypted('one', KEY), Encrypted('two', KEY)
    assert one.person_key('a') != two.person_key('a') and one.person_key('a') == Encrypted('one', KEY).person_key('a')
    assert one.seal(b'a', 'name', 1) != one.seal(b'a', 'name', 1), 'a nonce is never used twice'
    header = dict(sealing=one.kind, id='one', proof=proof(one))
    assert open_seal(header, KEY, 'here').unseal(one.seal(b'a', 'name', 1), 'name', 1) == b'a'
    for key, words in ((bytes(32), 'another key'), (None, 'give its key')):
        with pytest.raises(InputError, match=words) as error:
            open_seal(header, key, 'here')
        assert KEY.hex() not in str(error.value)


@pytest.mark.parametrize('text, good', [
    (KEY.hex(), True), (KEY.hex().upper() + '\r\n', True), (KEY.hex()[:-1], False), ('', False), ('g' * 64, False),
    ('\ufeff' + KEY.hex(), False), (KEY.hex() * 2, False)])
def test_keys_in_files(tmp_path, text, good):
    (tmp_path / 'key').write_text(text, encoding='utf-8')
    if good:
        assert read_key(tmp_path / 'key') == KEY
    else:
        with pytest.raises(InputError, match='64 hexadecimal digits') as error:
            read_key(tmp_path / 'key')
        assert KEY.hex()[:-1] not in str(error.value)


@settings(max_examples=40)
@given(st.sampled_from(sorted(SEALS)), NAMES, st.integers(0, 99), st.one_of(st.none(), JSON),
       st.one_of(st.none(), st.binary(max_size=9)))
def test_rows_are_decoded_to_what_was_enrolled(kind, name, number, metadata, picture):
    from mlaface.gallery.engines.base import ImageRow
    from mlaface.gallery.records import encode_metadata
    coding = Coding(SEALS[kind]('one'), SIZE, 'here')
    name = name.encode('utf-8', 'replace').decode()
    row = ImageRow(7, *coding.encode(5, person(number), encode_metadata(metadata), picture))
    found = coding.enrolment(coding.name(5, coding.encode_name(5, name)), row)
    assert found.name == name and found.embedding.tobytes() == person(number).astype(np.float32).tobytes()
    assert found.metadata == (metadata or None) and found.picture == picture
    draw = random.Random(number)
    with pytest.raises(InputError, match='person 5'):
        coding.enrolment('', row._replace(embedding=flipped(row.embedding, draw)))
    with pytest.raises(InputError, match='person 6'):
        coding.embeddings([(7, 6, row.embedding)])


@settings(max_examples=100)
@given(NAMES)
def test_names_are_kept_in_one_form_or_refused(name):
    try:
        kept = check_name(name)
    except InputError:
        assert not name.strip() or not name.isprintable()
    else:
        assert check_name(kept) == kept and kept.strip() == kept and kept.encode() and '\n' not in kept
        assert check_name(f' {name}\t') == kept


@settings(max_examples=40)
@given(st.integers(-20, 20), st.integers(0, 9), st.sampled_from(['f2', 'f4', 'f8', 'i4']))
def test_embeddings_of_any_length_are_one_direction(exponent, number, kind):
    if kind in ('f2', 'i4'):
        exponent = 2
    row = (person(number).astype(np.float64) * 10.0 ** exponent).astype(kind)
    unit = check_embeddings(row[None], SIZE)
    np.testing.assert_allclose(np.linalg.norm(unit), 1, rtol=1e-12)
    np.testing.assert_allclose(unit[0], row / np.linalg.norm(row.astype(np.float64)), rtol=1e-9)


@pytest.fixture(scope='module')
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp('filled')
    with Gallery.open(folder / 'g', MODEL, create=True) as gallery:
        gallery.enroll_all([Enrolment('Zoë', person(1), dict(door=3)), Enrolment('b', person(2)),
                            Enrolment('b', person(3))])
        for ending in ('.npz', '.jsonl'):
            gallery.export(folder / f'out{ending}')
    return folder


@pytest.mark.parametrize('ending', ['.npz', '.jsonl'])
def test_a_damaged_export_is_read_or_named(filled, tmp_path, ending):
    data = (filled / f'out{ending}').read_bytes()
    assert [each.name for each in read(filled / f'out{ending}', MODEL)] == ['Zoë', 'b', 'b']

    def told(path):
        try:
            return read(path, MODEL)
        except InputError as error:
            if 'cannot be compared' not in str(error):  # which names the galleries' models
                raise
    copies = damaged_copies(data, 300, cuts=100)
    assert check_refusals(tmp_path / f'in{ending}', copies, told) < len(copies)


@pytest.mark.parametrize('line', [b'\xff\xfe', b'\x80', b'[' * 10**5, b'{"name": "a", "embedding": 5}', b'null', b'[]',
                                  '{"name": "a", "embedding": "ä"}'.encode(), b'{"name": "a", "embedding": "AAA="}',
                                  b'{"name": "a", "embedding": "AAAAAA==", "image": 5}'])
def test_a_line_that_is_none_is_numbered(tmp_path, line):
    head = json.dumps(dict(mlaface_gallery=1, model=MODEL)).encode()
    good = json.dumps(dict(name='a', embedding=base64.b64encode(person(1).tobytes()).decode())).encode()
    (tmp_path / 'in.jsonl').write_bytes(b'\n'.join([head, good, line]))
    with pytest.raises(InputError, match=r'in.jsonl: line 3 is torn, or no line of a gallery'):
        read(tmp_path / 'in.jsonl', MODEL)
    (tmp_path / 'in.jsonl').write_bytes(line)
    with pytest.raises(InputError, match='in.jsonl: line 1'):
        stated_model(tmp_path / 'in.jsonl')


def test_exports_are_read_whatever_ends_their_lines(filled, tmp_path):
    text = (filled / 'out.jsonl').read_bytes()
    (tmp_path / 'in.jsonl').write_bytes(b'\xef\xbb\xbf' + text.replace(b'\n', b'\r\n'))
    found, whole = read(tmp_path / 'in.jsonl', MODEL), read(filled / 'out.jsonl', MODEL)
    assert [(each.name, each.embedding.tobytes(), each.metadata) for each in found] == \
        [(each.name, each.embedding.tobytes(), each.metadata) for each in whole]
