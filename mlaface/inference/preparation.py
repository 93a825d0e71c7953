"""Raw photographs to a folder of aligned faces; each image's fate is a line of a log, by which a run is resumed."""
import json
import os
import re
from collections import Counter
from pathlib import Path, PurePath
from typing import NamedTuple

from mlaface.datasets.formats.jpeg import encode
from mlaface.inference.images import read_image
from mlaface.inference.sources import Source
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.files import held
from mlaface.utils.image_files import image_files

LOG, LOCK = 'align.jsonl', '.align.lock'
CHOICES = ('largest', 'only', 'all')


class FaceRules(NamedTuple):
    """Which faces of an image are kept.

    Args:
        choice (str): ``'largest'``; ``'only'``: the face of an image that has just one; ``'all'``.
        min_size (float): Least shorter side of the box in pixels.
        min_sharpness (float): Least variance of the Laplacian; see ``inference.quality``.
        max_yaw (float): Most degrees that a face looks aside.
    """
    choice: str = 'largest'
    min_size: float = 40
    min_sharpness: float = 0
    max_yaw: float = 90

    def fault(self, face):
        """Why a face is not kept (str), or None."""
        if face.quality['size'] < self.min_size:
            return 'smaller than asked'
        if face.quality['sharpness'] < self.min_sharpness:
            return 'blurred'
        return 'looks aside' if abs(face.quality['yaw']) > self.max_yaw else None


class Photographs:
    """The images below a folder; those of another place are an object with the same attribute and methods.

    Args:
        folder (str | Path): Where.

    Attributes:
        names (list[str]): Paths below the folder, of any depth, in their order.

    Raises:
        MissingDataError: If there are none.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        files = image_files(self.folder) if self.folder.is_dir() else []
        if not files:
            raise MissingDataError(f'no images in {folder}: give the folder of the photographs')
        self.names = [str(file.relative_to(self.folder)) for file in files]

    def image(self, name):
        """What ``read_image`` takes of an image (str): its file, or its bytes."""
        return self.folder / name

    def hold(self, target):
        """Whether a folder (Path) lies among them (bool)."""
        return target.resolve().is_relative_to(self.folder.resolve())

    def seen_from(self, target):
        """Where they are, as seen from a folder (Path): relative (str), so that both may be moved together."""
        return Path(os.path.relpath(self.folder.resolve(), target.resolve())).as_posix()


def align_folder(finder, source, target, rules=FaceRules(), quality=95, settled=None, detector=None,  # noqa: B008
                 begin=lambda done, total: None):
    """Cut the faces out of the images below a folder, into files of the same names below another.

    Args:
        finder (FaceFinder): Finds and cuts.
        source (str | Path | Photographs): Folder of images, of any depth: a person's folder stays a person's folder.
        target (str | Path): Where to; what its log names already is not done again.
        rules (FaceRules): What is kept.
        quality (int): Of the JPEG files.
        settled (callable, optional): In place of ``settle``: given the names (list[str]) of all images, gives the fates
            of those that are not done, at least, whose faces are written.
        detector (dict, optional): Plain values that tell the finder's detector from another, for the log.
        begin (callable): Told how many images the log has already, and how many there are.

    Yields:
        dict: For each image that was not done before ``source`` (its path below the folder), ``kept`` (files) and
        ``dropped`` (reason or None), after it was written to ``target``'s log.

    Raises:
        MissingDataError: If the source is no folder of images.
        InputError: If the target's log is of another folder of photographs, other rules, another size or detector, or
            another process writes it.
    """
    source, target = Photographs(source) if isinstance(source, (str, Path)) else source, Path(target)
    stems = distinct_stems(source.names)
    if source.hold(target):
        raise InputError(f'{target} lies in {source.folder}: faces would take the place of photographs, or be taken '
                         'for some; give a folder outside')
    settings = dict(rules=rules._asdict(), quality=quality, size=list(finder.size), detector=detector,
                    photographs=source.seen_from(target))
    with held(target / LOCK, f'{target} is being filled by another process: wait for it, or give another folder'):
        done = _open_log(target / LOG, json.loads(json.dumps(settings, default=str)))
        left = [name for name in stems if name not in done]
        begin(len(stems) - len(left), len(stems))
        records = () if not left else settled(list(stems)) if settled else settle(
            finder, source, target, {name: stems[name] for name in left}, rules, quality)
        with open(target / LOG, 'a', encoding='utf-8') as log:
            for record in records:
                if record['source'] not in done:
                    log.write(json.dumps(record) + '\n')  # after the faces: a face without its line is written again
                    log.flush()
                    yield record


def settle(finder, source, target, stems, rules, quality):
    """Write the faces of images.

    Args:
        finder, target, rules, quality: See ``align_folder``.
        source (Photographs): Whose images.
        stems (dict[str, str]): Of those images that are done, as ``distinct_stems`` gives them.

    Yields:
        dict: The fate of each, in order, when its faces are written.
    """
    images = (Source(name, lambda name=name: read_image(source.image(name), finder.max_pixels)) for name in stems)
    for name, faces, error in finder.find(images):
        record = _settle(name, faces, error, rules)
        for number, face in enumerate(record.pop('faces')):
            file = target / f'{stems[name]}{f"_{number}" if number else ""}.jpg'
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(face.crop.transpose(1, 2, 0), quality, '444'))
            record['kept'].append(str(file.relative_to(target)))
        yield record


def read_log(target):
    """The fates of all images so far, in order.

    Args:
        target (str | Path): The folder of aligned faces.

    Returns:
        list[dict]: As ``align_folder`` gives them.
    """
    lines = Path(target, LOG).read_text(encoding='utf-8').splitlines(keepends=True)[1:]
    return [json.loads(line) for line in lines if line.endswith('\n')]


def _settle(name, faces, error, rules):
    """An image's line of the log, with the faces that are kept."""
    record = dict(source=name, kept=[], dropped=None, found=len(faces), faces=[])
    if error is not None:
        return {**record, 'dropped': 'cannot be read', 'detail': str(error)}
    if not faces or rules.choice == 'only' and len(faces) > 1:
        return {**record, 'dropped': 'several faces' if faces else 'no face'}
    wanted = faces if rules.choice == 'all' else faces[:1]
    faults = [rules.fault(face) for face in wanted]
    record['faces'] = [face for face, fault in zip(wanted, faults) if fault is None]
    record['quality'] = {key: round(value, 2) for key, value in wanted[0].quality.items()}
    return record if record['faces'] else {**record, 'dropped': Counter(faults).most_common(1)[0][0]}


def _open_log(path, settings):
    """Names that are done; a new log begins with the settings, a torn last line is cut off."""
    if not path.is_file() or not path.stat().st_size:
        path.write_text(json.dumps(settings) + '\n', encoding='utf-8')
        return set()
    text = path.read_bytes()
    whole = text[:text.rfind(b'\n') + 1]
    if whole != text:
        with open(path, 'r+b') as file:
            file.truncate(len(whole))
    lines = whole.decode('utf-8').splitlines()
    if not lines:
        return _open_log(path, settings)
    first, *rest = map(json.loads, lines)
    _check_photographs(path, first.pop('photographs', None), settings['photographs'])
    others = [f'{key} {first[key]}, now {value}' for key, value in settings.items() if first.get(key, value) != value]
    if others:  # a log of an earlier version lacks the detector
        raise InputError(f'{path} was made by other settings ({"; ".join(others)}): give the same, or another folder')
    return {record['source'] for record in rest}


def _check_photographs(path, before, now):
    """Refuse another folder of photographs, whose faces a name of the log might take for done; paths from the log's.

    They are relative, so that photographs and faces may be moved together; a log of an earlier version lacks its own.
    """
    if before not in (None, now):
        places = [each if '://' in each else Path(path.parent, each).resolve() for each in (before, now)]
        raise InputError(f'{path} was made of the photographs in {places[0]}, now {places[1]}: give another folder '
                         'for their faces, or align a folder that holds both; if they were only moved, write '
                         f'"photographs": {json.dumps(now)} in the file\'s first line')


def distinct_stems(names):
    """Name -> its faces' path without suffix, of which no other's is one with or without a number behind it.

    It is the name without its suffix, but where that is or might be another's: with it.

    Args:
        names (Sequence[str]): Paths of images.

    Returns:
        dict[str, str]: In their order.
    """
    stems = {name: str(PurePath(name).with_suffix('')) for name in names}
    while True:
        counts = Counter(stems.values())
        torn = [name for name, stem in stems.items() if stem != name and (
            counts[stem] > 1 or (numbered := re.fullmatch(r'(.*)_\d+', stem)) and numbered[1] in counts)]
        if not torn:
            return stems
        stems.update({name: name for name in torn})
