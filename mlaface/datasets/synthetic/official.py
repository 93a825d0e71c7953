"""Tiny benchmarks of drawn faces in the file formats that the real ones are published in."""
import json
from functools import partial
from pathlib import Path

import numpy as np

from mlaface.datasets.synthetic.generate import FIRST_TEST, draw_images
from mlaface.datasets.synthetic.nuisance import TRAINING

RACES = ('African', 'Asian', 'Caucasian', 'Indian')
POINTS = '38.2946 51.6963 73.5318 51.5014 56.0252 71.7366 41.5493 92.3655 70.7299 92.2041'


def draw(people, images, seed=0, first=0):
    """JPEGs of test identities.

    Args:
        people (int): Identities.
        images (int): Images of each.
        seed (int): Of the drawing.
        first (int): Number of the first identity.

    Returns:
        list[list[bytes]]: ``images`` for each of ``people``.
    """
    return [draw_images((FIRST_TEST + first + person, range(images)), seed, TRAINING) for person in range(people)]


def _write(root, name, data):
    path = Path(root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def _person(number):
    return f'Person_{number:03d}'


def _lfw_lines(people, folds):
    """LFW's list: in each fold every person of it once with itself, and once with the next."""
    lines = [f'{folds}\t{people // folds}']
    for members in np.array_split(np.arange(people), folds):
        lines += [f'{_person(k)}\t1\t2' for k in members]
        lines += [f'{_person(k)}\t1\t{_person(other)}\t2' for k, other in zip(members, np.roll(members, 1))]
    return lines


def _write_people(root, drawn, folder=''):
    for number, images in enumerate(drawn):
        for count, image in enumerate(images, 1):
            _write(root, f'{folder}{_person(number)}/{_person(number)}_{count:04d}.jpg', image)


def write_lfw(root, name='lfw', people=20, folds=10, seed=0):
    """LFW or XQLFW: ``pairs.txt`` (``xqlfw_pairs.txt``) and a folder a person."""
    _write_people(root, draw(people, 2, seed), 'images/')
    _write(root, 'pairs.txt' if name == 'lfw' else f'{name}_pairs.txt', '\n'.join(_lfw_lines(people, folds)) + '\n')


def write_flat(root, name='calfw', people=20, seed=0):
    """CALFW or CPLFW: two lines a pair, same pairs with their fold first, then different ones with 0."""
    lines = []
    for number, images in enumerate(draw(people, 2, seed)):
        for count, image in enumerate(images, 1):
            _write(root, f'aligned images/{_person(number)}_{count:04d}.jpg', image)
            lines.append(f'{_person(number)}_{count:04d}.jpg {1 + number * 10 // people}')
    for number in range(people):
        lines += [f'{_person(number)}_0001.jpg 0', f'{_person((number + 1) % people)}_0002.jpg 0']
    _write(root, f'pairs_{name.upper()}.txt', '\n'.join(lines) + '\n')


def write_agedb(root, people=20, folds=10, seed=0):
    """AgeDB-30: ``03_Protocol_Images`` and ``04_FINAL_protocol_30_years.mat``, a cell a fold; labels are 1 and -1."""
    from scipy.io import savemat
    names = [[f'{2 * k + young}_Person{k:03d}_{70 - 35 * young}_f' for young in (0, 1)] for k in range(people)]
    for images, own in zip(draw(people, 2, seed), names):
        for name, image in zip(own, images):
            _write(root, f'03_Protocol_Images/{name}.jpg', image)
    splits = np.empty((folds, 1), object)
    for fold, members in enumerate(np.array_split(np.arange(people), folds)):
        sides = np.empty((2, 2 * len(members)), object)
        sides[0] = [dict(name=names[k][0]) for k in members] * 2
        sides[1] = [dict(name=names[k][1]) for k in (*members, *np.roll(members, 1))]
        splits[fold, 0] = dict(pairs=sides, labels=np.repeat(np.int8([1, -1]), len(members)))
    path = Path(root) / 'AgeDB_FINAL_protocol/04_FINAL_protocol_30_years.mat'
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, dict(splits=splits))


def write_cfp(root, people=20, folds=10, seed=0):
    """CFP: ``Data/Images/NNN/{frontal,profile}`` and ``Protocol``."""
    lists = dict(F=[], P=[])
    for number, images in enumerate(draw(people, 4, seed), 1):
        for kind, folder, part in (('F', 'frontal', images[:2]), ('P', 'profile', images[2:])):
            for count, image in enumerate(part, 1):
                name = f'Data/Images/{number:03d}/{folder}/{count:02d}.jpg'
                _write(root, name, image)
                lists[kind].append(f'{len(lists[kind]) + 1} ../{name}')
    for kind, lines in lists.items():
        _write(root, f'Protocol/Pair_list_{kind}.txt', '\n'.join(lines) + '\n')
    for fold, members in enumerate(np.array_split(np.arange(people), folds), 1):
        same = ''.join(f'{2 * k + 1},{2 * k + 2}\n' for k in members)
        other = ''.join(f'{2 * k + 1},{2 * o + 2}\n' for k, o in zip(members, np.roll(members, 1)))
        for split in ('FF', 'FP'):
            _write(root, f'Protocol/Split/{split}/{fold:02d}/same.txt', same)
            _write(root, f'Protocol/Split/{split}/{fold:02d}/diff.txt', other)


def write_rfw(root, people=20, seed=0):
    """RFW: four groups, each with ``data/RACE``, ``txts/RACE/RACE_pairs.txt`` (no header) and ``RACE_lmk.txt``."""
    points = POINTS.replace(' ', '\t')
    for number, race in enumerate(RACES):
        _write_people(root, draw(people, 2, seed, number * people), f'data/{race}/')
        _write(root, f'txts/{race}/{race}_pairs.txt', '\n'.join(_lfw_lines(people, 10)[1:]) + '\n')
        _write(root, f'txts/{race}/{race}_lmk.txt', ''.join(
            f'/test/data/{race}/{_person(k)}/{_person(k)}_{count:04d}.jpg\t{k}\t{points}\n'
            for k in range(people) for count in (1, 2)))


def write_ijb(root, name='ijbc', people=12, seed=0):
    """IJB-B or IJB-C: gallery and probe templates of two and three images, half of the people in each gallery."""
    galleries = dict(ijbb=('S1', 'S2'), ijbc=('G1', 'G2'))[name]
    media, points, gallery, probes = [], [], {key: [] for key in galleries}, []
    for person, images in enumerate(draw(people, 5, seed)):
        for count, image in enumerate(images):
            row = len(media) + 1
            template = 1000 + person if count < 2 else 2000 + person
            _write(root, f'loose_crop/{row}.jpg', image)
            media.append(f'{row}.jpg {template} {row if count % 2 else row + 1}')
            points.append(f'{row}.jpg {POINTS} {0.8 + 0.02 * count:.2f}')
            (gallery[galleries[person % 2]] if count < 2 else probes).append(f'{template},{person},img/{row}.jpg')
    pairs = [f'{1000 + a} {2000 + b} {int(a == b)}' for a in range(people) for b in range(people)]
    lists = {f'{name}_face_tid_mid.txt': media, f'{name}_name_5pts_score.txt': points,
             f'{name}_template_pair_label.txt': pairs, f'{name}_1N_probe_mixed.csv': ['TEMPLATE_ID,SUBJECT_ID,FILENAME',
                                                                                      *probes],
             **{f'{name}_1N_gallery_{key}.csv': ['TEMPLATE_ID,SUBJECT_ID,FILENAME', *rows]
                for key, rows in gallery.items()}}
    for file, lines in lists.items():
        _write(root, f'meta/{file}', '\n'.join(lines) + '\n')


def write_tinyface(root, people=8, distractors=10, seed=0):
    """TinyFace: ``Testing_Set`` with probes, mates and distractors, and its two ``.mat`` lists."""
    from scipy.io import savemat
    folder, names = Path(root) / 'Testing_Set', dict(probe=[], gallery=[])
    for person, images in enumerate(draw(people, 3, seed)):
        for count, image in enumerate(images):
            kind, place = ('probe', 'Probe') if count == 0 else ('gallery', 'Gallery_Match')
            names[kind].append((f'{person}_{count}.jpg', person))
            _write(folder, f'{place}/{person}_{count}.jpg', image)
    for number, images in enumerate(draw(distractors, 1, seed, people)):
        _write(folder, f'Gallery_Distractor/{number}.jpg', images[0])
    for kind, file in (('probe', 'probe'), ('gallery', 'gallery_match')):
        files = np.array([[name] for name, _ in names[kind]], dtype=object)
        savemat(folder / f'{file}_img_ID_pairs.mat',
                {f'{kind}_set': files, f'{kind}_ids': np.array([[person] for _, person in names[kind]], np.uint16)})


def write_megaface(root, people=6, distractors=10, seed=0):
    """MegaFace: FaceScrub's and MegaFace's images with the lists of the development kit."""
    paths, ids = [], []
    for person, images in enumerate(draw(people, 3, seed)):
        for count, image in enumerate(images):
            paths.append(f'{_person(person)}/{_person(person)}_{count}.png')
            ids.append(_person(person))
            _write(root, f'facescrub_images/{paths[-1]}', image)
    others = [f'{number % 3}/{number}.jpg' for number in range(distractors)]
    for path, images in zip(others, draw(distractors, 1, seed, people)):
        _write(root, f'megaface_images/{path}', images[0])
    lists = Path(root) / 'devkit' / 'templatelists'
    _write(lists, 'facescrub_features_list.json', json.dumps(dict(path=paths, id=ids)))
    _write(lists, f'megaface_features_list.json_{distractors}_1', json.dumps(dict(path=others)))


WRITERS = dict(lfw=write_lfw, xqlfw=partial(write_lfw, name='xqlfw'), cfp=write_cfp, agedb=write_agedb,
               calfw=write_flat, cplfw=partial(write_flat, name='cplfw'), rfw=write_rfw, ijbc=write_ijb,
               ijbb=partial(write_ijb, name='ijbb'), tinyface=write_tinyface, megaface=write_megaface)
