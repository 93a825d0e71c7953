"""What a gallery promises, on every engine."""
import numpy as np
import pytest

from mlaface.gallery import Enrolment, Gallery, records
from mlaface.utils.errors import InputError, MissingDataError
from tests.gallery.people import MODEL, SIZE, person

ODD_NAMES = ["O'Brien; DROP TABLE people;--", '../../etc/passwd', 'Zoë 张伟 🙂', '%s ? {0} $1', 'C:\\NUL', '-rf']


def names(matches):
    return [match.name for match in matches]


def test_who_was_enrolled_is_found_and_nobody_else(gallery):
    ids = [gallery.enroll(f'p{number}', person(number)) for number in range(20)]
    assert ids == sorted(set(ids))
    found = gallery.identify(np.stack([person(100, near=7), person(101), person(102, near=3)]), k=2, threshold=0.8)
    assert [names(matches) for matches in found] == [['p7'], [], ['p3']]
    match = found[0][0]
    assert match.image == ids[7] and match.cosine == pytest.approx(person(100, near=7) @ person(7), abs=1e-6)
    assert gallery.verify('p7', person(100, near=7)) == match
    assert gallery.verify('p8', person(100, near=7)).cosine < 0.8


def test_several_images_of_a_person_count_as_one_by_the_best_or_the_mean(gallery):
    gallery.enroll_all([Enrolment('a', person(1)), Enrolment('b', person(2)), Enrolment('a', person(3, near=2))])
    probe, cosines = person(2), person(2) @ np.stack([person(1), person(2), person(3, near=2)]).T
    best, mean = (gallery.identify(probe, score=score)[0] for score in ('best', 'mean'))
    assert [(m.name, m.image) for m in best] == [('b', 2), ('a', 3)] and names(mean) == ['b', 'a']
    assert [m.cosine for m in best] == pytest.approx([cosines[1], cosines[2]], abs=1e-6)
    assert [m.cosine for m in mean] == pytest.approx([cosines[1], (cosines[0] + cosines[2]) / 2], abs=1e-6)
    assert gallery.verify('a', probe, score='mean').cosine == mean[1].cosine
    assert gallery.people() == {'a': 2, 'b': 1}


def test_another_opener_sees_at_once_what_was_enrolled_deleted_and_renamed(opened):
    first, second = opened(create=True), opened(model=None)
    first.enroll('a', person(1))
    assert names(second.identify(person(1))[0]) == ['a']
    second.enroll('b', person(2))
    assert names(first.identify(person(2))[0]) == ['b', 'a']
    second.rename('b', 'c')
    assert names(first.identify(person(2))[0]) == ['c', 'a']
    assert first.delete('c') == 1
    assert names(second.identify(person(2))[0]) == ['a'] and second.people() == {'a': 1}


def test_metadata_and_images_come_back_and_images_only_where_they_were_given(gallery):
    gallery.enroll('a', person(1), dict(door=3, when='ü'), image=b'\xff\xd8 picture')
    gallery.enroll('a', person(2))
    kept = [image for _, image in gallery.enrolments('a')]
    assert [each.metadata for each in kept] == [dict(door=3, when='ü'), None]
    assert [each.picture for each in kept] == [b'\xff\xd8 picture', None]
    assert np.allclose(kept[0].embedding, person(1), atol=1e-7) and gallery.check() == []


@pytest.mark.parametrize('name', ODD_NAMES)
def test_odd_names_are_names(local, name):
    local.enroll(name, person(1))
    assert names(local.identify(person(1))[0]) == [name] == list(local.people())
    local.rename(name, f'{name}2')
    assert local.delete(f'{name}2') == 1 and local.people() == {}


@pytest.mark.parametrize('name', ['', '  ', 'a\nb', 'a\x1b[2J', 'x' * 501, 'a\ud800', 3, None])
def test_what_is_no_name_is_refused(local, name):
    with pytest.raises(InputError):
        local.enroll(name, person(1))
    assert local.people() == {}


def test_names_that_look_alike_are_alike(local):
    local.enroll('Zoe\u0308', person(1))
    local.enroll(' Zo\u00eb', person(2))
    assert local.people() == {'Zo\u00eb': 2}


@pytest.mark.parametrize('embedding, reason', [
    (np.zeros(SIZE), 'zero'), (np.full(SIZE, np.nan), 'not finite'), (np.ones(SIZE + 1), f'shape ({SIZE + 1},)'),
    (np.ones((2, SIZE)), 'must be (D,)'), (np.array(['x'] * SIZE), 'numbers')])
def test_what_is_no_embedding_is_refused_and_with_it_all_that_came_along(local, embedding, reason):
    with pytest.raises(InputError) as error:
        local.enroll_all([Enrolment('good', person(1)), Enrolment('bad', embedding)][embedding.ndim - 1:])
    assert reason in str(error.value) and local.people() == {}


@pytest.mark.parametrize('metadata', [dict(x={1}), dict(x=float('nan')), dict(x='y' * 70_000), ['list']])
def test_metadata_that_json_cannot_hold_are_refused(local, metadata):
    with pytest.raises(InputError, match='metadata'):
        local.enroll('a', person(1), metadata)


@pytest.mark.parametrize('other', [dict(sha256='cd' * 32), dict(embedding_size=SIZE + 1), dict(flip='sum'),
                                   dict(input=dict(color='BGR', mean=(127.5,)))])
def test_another_model_is_refused_in_a_line_that_names_both(opened, other):
    opened(create=True)
    with pytest.raises(InputError) as error:
        opened(model={**MODEL, 'name': 'newer', **other})
    text = str(error.value)
    assert '\n' not in text and 'tested (sha256 abababababab, 48' in text and 'newer (sha256' in text
    opened(model={**MODEL, 'name': 'renamed'})


def test_an_empty_gallery_knows_nobody(gallery):
    assert gallery.identify(np.stack([person(1), person(2)])) == [[], []] and gallery.people() == {}
    assert gallery.identify(np.empty((0, SIZE))) == [] and gallery.check() == []
    for call in (lambda: gallery.verify('a', person(1)), lambda: gallery.delete('a'), lambda: gallery.rename('a', 'b')):
        with pytest.raises(InputError, match="nobody is enrolled as 'a'"):
            call()


def test_two_people_do_not_become_one_by_a_name(gallery):
    gallery.enroll('a', person(1))
    gallery.enroll('b', person(2))
    with pytest.raises(InputError, match='somebody already'):
        gallery.rename('a', 'b')
    gallery.rename('a', 'a')
    assert gallery.people() == {'a': 1, 'b': 1}


def test_a_number_is_never_given_twice(gallery):
    first = gallery.enroll('a', person(1))
    gallery.delete('a')
    assert gallery.enroll('b', person(2)) > first
    gallery.compact()
    assert names(gallery.identify(person(1))[0]) == ['b'] and gallery.check() == []


def test_a_gallery_that_is_not_there_is_not_made_by_reading(opened, tmp_path):
    with pytest.raises(MissingDataError, match='no gallery'):
        opened()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match='0 engines'):
        Gallery.open('oracle://host/db', MODEL)


def test_images_that_are_there_are_not_enrolled_again(gallery):
    images = [Enrolment('a', person(1), dict(door=3)), Enrolment('b', person(2)), Enrolment('a', person(3, near=1))]
    first = gallery.enroll_new([*images, images[0]])
    assert len(first) == 3 and gallery.people() == {'a': 2, 'b': 1}
    again = [Enrolment(each.name, each.embedding * np.float32(1 + 1e-6), each.metadata) for each in images]
    assert gallery.enroll_new(again) == [] and gallery.people() == {'a': 2, 'b': 1}
    assert gallery.enroll_new([*again, Enrolment('c', person(1)), Enrolment('b', person(5))]) == [
        first[-1] + 1, first[-1] + 2]
    assert gallery.people() == {'a': 2, 'b': 2, 'c': 1}
    assert gallery.enroll('a', person(1)) == first[-1] + 3 and gallery.people()['a'] == 3


def test_many_images_of_one_person_are_compared_block_by_block(monkeypatch):
    monkeypatch.setattr(records, 'BLOCK', 3)
    rows = np.stack([person(number % 7) for number in range(20)]).astype(np.float64)
    assert records.new_images(rows, np.empty((0, SIZE))).nonzero()[0].tolist() == list(range(7))
    assert records.new_images(rows, np.stack([person(2), person(6)])).nonzero()[0].tolist() == [0, 1, 3, 4, 5]
