"""Pairs of a benchmark, or of any set whose people are known."""
import cv2
import numpy as np
import pytest

from mlaface.cli.parts.sample import draw_sample
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.formats.jpeg import encode
from mlaface.utils.errors import InputError


def picture(number, size=(112, 112)):
    return np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)


def test_pairs_of_a_benchmark(tmp_path):
    images = [encode(picture(number), 95) for number in range(30)]
    order = [number for pair in range(40) for number in (pair % 30, (pair + 1 + pair % 7) % 30)]
    issame = [pair % 3 == 0 for pair in range(40)]
    write_bin(tmp_path / 'a.bin', [images[number] for number in order], np.array(issame))
    sample = draw_sample(tmp_path / 'a.bin', 24)
    assert len(sample.issame) == 24 and sample.issame.sum() == 12 and len(sample.images) <= 30
    known = [image.tobytes() for image in sample.images]
    assert len(set(known)) == len(known)
    decoded = {cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1].tobytes(): place
               for place, data in enumerate(images)}
    listed = {tuple(order[2 * pair:2 * pair + 2]): issame[pair] for pair in range(40)}
    for (first, second), same in zip(sample.pairs, sample.issame):
        assert listed[decoded[known[first]], decoded[known[second]]] == same


def test_pairs_of_a_folder_of_any_size(tmp_path):
    for person in range(8):
        for number in range(3):
            file = tmp_path / 'set' / f'p{person}' / f'{number}.png'
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), picture(10 * person + number, (90 + person, 70)))
    sample = draw_sample(tmp_path / 'set', 2000)
    assert 20 <= len(sample.issame) <= 48 and sample.issame.any() and not sample.issame.all()
    for (first, second), same in zip(sample.pairs, sample.issame):
        assert (len(sample.images[first]) == len(sample.images[second])) == same  # the height tells the person
    again = draw_sample(tmp_path / 'set', 2000)
    assert np.array_equal(sample.pairs, again.pairs)


def test_too_few(tmp_path):
    for person in range(3):
        (tmp_path / 'set' / str(person)).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'set' / str(person) / '0.png'), picture(person))
    with pytest.raises(InputError):
        draw_sample(tmp_path / 'set')
