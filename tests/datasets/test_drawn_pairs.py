"""Benchmarks of pairs that are drawn, and sets that are split: nobody stands on two sides, nothing comes twice."""
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.prepare.pairs import Drawn, draw_folds, read_groups, suffix_of, write_lfw
from mlaface.datasets.prepare.split import split_identities
from mlaface.utils.errors import InputError

NAMES = [f'person {number}' for number in range(40)]


@settings(max_examples=30)
@given(st.lists(st.integers(1, 8), min_size=12, max_size=40), st.integers(2, 4), st.integers(1, 4), st.booleans(),
       st.integers(0, 5))
def test_folds_are_of_disjoint_people_and_balanced(sizes, folds, each, grouped, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    groups = {label: 'ab'[label % 2] for label in range(len(sizes) - 1)} if grouped else None
    kinds = 2 if grouped else 1
    try:
        drawn = draw_folds(labels, 2 * each * folds * kinds, folds, groups, seed)
    except InputError as error:
        assert 'are wanted' in str(error) and 'fewer pairs, or fewer folds' in str(error)
        return
    people = labels[drawn.pairs]
    assert len(drawn.pairs) == 2 * each * folds * kinds
    assert np.array_equal(people[:, 0] == people[:, 1], drawn.issame), 'the labels of pairs are those of their images'
    assert (drawn.pairs[:, 0] != drawn.pairs[:, 1]).all()
    assert len({tuple(sorted(pair)) for pair in drawn.pairs.tolist()}) == len(drawn.pairs)
    for fold in range(folds):
        for group in np.unique(drawn.group):
            mine = (drawn.fold == fold) & (drawn.group == group)
            assert drawn.issame[mine].sum() == each == (~drawn.issame[mine]).sum()
            assert not grouped or {groups.get(person) for person in people[mine].ravel().tolist()} == {group}
    in_fold = [set(people[drawn.fold == fold].ravel()) for fold in range(folds)]
    assert sum(map(len, in_fold)) == len(set().union(*in_fold))
    again = draw_folds(labels, 2 * each * folds * kinds, folds, groups, seed)
    assert np.array_equal(again.pairs, drawn.pairs), 'the seed alone decides'


@pytest.mark.parametrize('images, pairs', [(150, 44_000), (100_000, 400)])
def test_of_many_images_any_may_be_in_a_pair_and_all_pairs_can_be_had(images, pairs):
    drawn = draw_folds(np.repeat(np.arange(4), images), pairs, folds=2)
    same = np.sort(drawn.pairs[drawn.issame], 1)
    assert len(np.unique(same, axis=0)) == pairs // 2
    assert (same[:, 0] // images == same[:, 1] // images).all() and (same[:, 0] < same[:, 1]).all()
    assert (same[:, 1] % images).max() >= 0.9 * images


def test_nobody_with_many_images_prevails():
    labels = np.repeat(np.arange(8), [50, 50, 3, 3, 3, 3, 3, 3])
    drawn = draw_folds(labels, 24, 2)
    counts = np.bincount(labels[drawn.pairs[drawn.issame, 0]], minlength=8)
    assert counts.max() - counts[counts > 0].min() <= 1


@pytest.mark.parametrize('arguments, message', [
    (dict(pairs=10, folds=1), 'two folds are needed'), (dict(pairs=2, folds=2), 'two pairs in each fold'),
    (dict(pairs=400, folds=2), 'fold 1 makes .* pairs of one person, and 100 are wanted'),
    (dict(pairs=8, folds=2, groups={}), '0 groups')])
def test_pairs_that_cannot_be_drawn_are_refused_with_the_number_that_can(arguments, message):
    with pytest.raises(InputError, match=message):
        draw_folds(np.repeat(np.arange(6), 3), **arguments)


class Faces:
    """Images whose bytes are their row."""

    def __init__(self, labels, classes):
        self.labels, self.metainfo = labels, dict(classes=classes)

    def encoded(self, row):
        return self.labels[row], b'\xff\xd8%d' % row


def test_a_list_in_lfws_form_names_the_images_beside_it(tmp_path):
    labels = np.repeat(np.arange(8), 3)
    drawn = draw_folds(labels, 8, 2)
    lines = write_lfw(drawn, Faces(labels, NAMES), tmp_path, 2).read_text().splitlines()
    assert lines[0] == '2\t2' and len(lines) == 9
    for line, pair, same in zip(lines[1:], drawn.pairs, drawn.issame):
        name, first, *rest = line.split('\t')
        ends = [(name, first), (name, rest[0])] if len(rest) == 1 else [(name, first), tuple(rest)]
        assert same == (len(rest) == 1)
        for (who, number), row in zip(ends, pair):
            file = tmp_path / 'images' / who / f'{who}_{int(number):04d}.jpg'
            assert who == NAMES[labels[row]] and file.read_bytes() == b'\xff\xd8%d' % row
    written = list((tmp_path / 'images').rglob('*.jpg'))
    assert len(written) == len(np.unique(drawn.pairs)), 'images of no pair are not written'


@pytest.mark.parametrize('name', ['a\tb', 'a/b', ' ', 'a\nb'])
def test_a_name_that_cannot_stand_in_a_list_is_refused(name, tmp_path):
    pairs = Drawn(np.array([[0, 1]]), np.array([True]), np.array([0]), np.array(['']))
    with pytest.raises(InputError, match='cannot stand in a list of pairs'):
        write_lfw(pairs, Faces([0, 0], [name]), tmp_path, 1)


class FailingFaces(Faces):
    """Images of which the last cannot be read."""

    def encoded(self, row):
        if row == len(self.labels) - 1:
            raise FormatError('p/1.jpg cannot be read: Input/output error')
        return super().encoded(row)


def all_pairs(people):
    rows = np.arange(2 * people).reshape(-1, 2)
    return Drawn(rows, np.ones(people, bool), np.zeros(people, int), np.full(people, ''))


@pytest.mark.parametrize('faces, error', [(FailingFaces([0, 0, 1, 1], ['a', 'b']), FormatError),
                                          (Faces([0, 0, 1, 1], ['a', 'b\n']), InputError),
                                          (Faces([0, 0, 1, 1], ['a', '..']), InputError)])
def test_a_benchmark_is_written_whole_or_not_at_all(tmp_path, faces, error):
    with pytest.raises(error):
        write_lfw(all_pairs(2), faces, tmp_path / 'new', 1)
    assert not list(tmp_path.iterdir()), 'nothing is begun'
    write_lfw(all_pairs(1), Faces([0, 0], ['before']), tmp_path / 'old', 1)
    before = {file: file.read_bytes() for file in tmp_path.rglob('*') if file.is_file()}
    with pytest.raises(error):
        write_lfw(all_pairs(2), faces, tmp_path / 'old', 1)
    assert {file: file.read_bytes() for file in tmp_path.rglob('*') if file.is_file()} == before


def test_a_list_never_stands_beside_half_of_its_images(tmp_path, monkeypatch):
    write_lfw(all_pairs(1), Faces([0, 0], ['a']), tmp_path / 'out', 1)
    replace, calls = os.replace, []

    def killed(source, target):
        calls.append(target)
        if Path(target).parent.parent == tmp_path / 'out' / 'images' and len(calls) > 5:
            raise KeyboardInterrupt
        replace(source, target)
    monkeypatch.setattr(os, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
        write_lfw(all_pairs(2), Faces([0, 0, 1, 1], ['a', 'b']), tmp_path / 'out', 1)
    assert not (tmp_path / 'out' / 'pairs.txt').exists()
    monkeypatch.undo()
    (tmp_path / 'out' / 'images' / 'a' / 'a_0001.png').write_bytes(b'of an earlier draw')
    write_lfw(all_pairs(2), Faces([0, 0, 1, 1], ['a', 'b']), tmp_path / 'out', 1)
    assert sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob('*') if file.is_file()) == [
        *(f'out/images/{name}/{name}_000{count}.jpg' for name in 'ab' for count in (1, 2)), 'out/pairs.txt']


def test_groups_are_read_and_slips_are_named_by_line(tmp_path):
    path = tmp_path / 'groups.tsv'
    path.write_text('\ufeffann\tasia\n\nbea\t europe\nunknown\tafrica\n', encoding='utf-8')
    assert read_groups(path, ['bea', 'ann']) == {1: 'asia', 0: 'europe'}
    for text, message in (('ann\tasia\nbea europe\n', 'line 2: expected is IDENTITY<tab>GROUP'), ('ann\t\n', 'line 1'),
                          ('ann\t../x\n', 'line 1'), ('nobody\tasia\n', "names no identity of the set, such as 'bea'")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_groups(path, ['bea', 'ann'])


@pytest.mark.parametrize('data, suffix', [(b'\xff\xd8\xff', '.jpg'), (b'\x89PNG\r', '.png'), (b'BM..', '.bmp'),
                                          (b'RIFF....WEBP', '.webp'), (b'else', '.jpg')])
def test_an_image_is_called_as_its_bytes_are(data, suffix):
    assert suffix_of(data) == suffix


@given(st.lists(st.integers(0, 39), min_size=12, max_size=80), st.integers(0, 9), st.booleans())
def test_a_split_gives_everybody_to_one_part(labels, seed, grouped):
    shares, groups = dict(train=0.5, val=0.25, test=0.25), {label: 'ab'[label % 2] for label in range(40)}
    try:
        parts = split_identities(NAMES, labels, shares, seed, groups if grouped else None)
    except InputError as error:
        assert 'empty' in str(error) and len(set(labels)) < 12
        return
    dealt = np.concatenate(list(parts.values()))
    assert sorted(dealt) == sorted(set(labels)) and all((np.diff(part) > 0).all() for part in parts.values())
    for kind in 'ab' if grouped else ():
        members = sum(groups[label] == kind for label in set(labels))
        assert abs(sum(groups[label] == kind for label in parts['train'].tolist()) - members / 2) <= 1


def test_small_groups_have_the_shares_together():
    groups = {label: str(label // 10) for label in range(400)}
    parts = split_identities([f'p{n}' for n in range(400)], range(400), dict(train=0.9, val=0.05, test=0.05), 0, groups)
    assert {name: len(part) for name, part in parts.items()} == dict(train=360, val=20, test=20)
    assert set(np.bincount(parts['train'] // 10)) == {9}


def test_new_people_shift_only_the_borders():
    shares = dict(train=0.8, test=0.2)
    few, many = (split_identities([f'p{n}' for n in range(count)], range(count), shares) for count in (400, 404))
    moved = set(few['train'].tolist()) & set(many['test'].tolist()) | set(few['test'].tolist()) & set(
        many['train'].tolist())
    assert len(moved) <= 4


@pytest.mark.parametrize('shares', [dict(a=0.5, b=0.4), dict(a=1.0), dict(a=1.5, b=-0.5)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(InputError, match='together they must be 1'):
        split_identities(NAMES, range(10), shares)
