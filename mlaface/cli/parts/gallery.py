"""What the commands on galleries share: which gallery, which faces, and a threshold for many people."""
import sys
from pathlib import Path

from mlaface.utils.errors import InputError


def add_gallery(parser):
    """Which gallery."""
    parser.add_argument('gallery', metavar='GALLERY', help='a file, or postgresql://USER@HOST/DATABASE#NAME')
    parser.add_argument('--key-file', metavar='FILE', help='key of an encrypted gallery, 64 hexadecimal digits '
                        '(default: the variable MLAFACE_GALLERY_KEY)')


def add_faces(parser):
    """Whose faces, if they are not given as embeddings."""
    parser.add_argument('--aligned', action='store_true', help='the images are aligned faces: nothing is detected')
    parser.add_argument('--largest', action='store_true', help='the largest face of an image; otherwise one with '
                        'several is refused')


def open_gallery(args, model=None, create=False):
    """The gallery that the arguments name."""
    from mlaface.gallery import Gallery
    from mlaface.gallery.sealing import read_key
    if model is not None and not model.get('sha256'):
        raise InputError(f'{model["name"]} is no file with a SHA-256, to which a gallery could be bound')
    return Gallery.open(args.gallery, model, create, read_key(args.key_file))


def enroll_file(args, file):
    """Enrol what a file holds and is not there; a gallery is made only of a file that names its model. Says so."""
    from mlaface.gallery.transfer import read, stated_model
    new = '://' not in args.gallery and not Path(args.gallery).exists()
    with open_gallery(args, stated_model(file) if new else None, create=new) as gallery:
        enrolments = read(file, gallery.model)
        tell_enrolled('', gallery, len(enrolments), len(gallery.enroll_new(enrolments)))


def tell_enrolled(whose, gallery, given, new):
    """Print how many images of those given were enrolled, and how many were there already."""
    there = f', {given - new:,} skipped that were there already' if given > new else ''
    print(f'{whose}{new:,} {"image" if new == 1 else "images"} enrolled in {gallery.place}{there}')


def one_face(name, faces, largest=False):
    """The face that an image was given for.

    Raises:
        InputError: If there is none, or several and the largest was not asked for.
    """
    if not faces:
        raise InputError(f'no face in {name}: is it upright, and larger than about 20 pixels? An aligned face is taken '
                         'as it is by --aligned')
    if len(faces) > 1 and not largest:
        raise InputError(f'{len(faces)} faces in {name}: cut out the one that is meant, or take --largest')
    return faces[0]


def given_embeddings(file, model):
    """Names and embeddings of a ``.npz`` file, as ``mlaface embed`` and ``mlaface gallery export`` write it.

    Args:
        file (str): With ``embeddings`` (N, D), and optionally ``names`` (N,) and ``sha256`` or ``model``.
        model (dict): Whose they must be, if the file says so.

    Returns:
        tuple[list[str], ndarray]: Names, numbers where there are none, and embeddings.
    """
    from mlaface.evaluation.embeddings.saved import read_arrays
    arrays = read_arrays(file)
    if 'embeddings' not in arrays:
        raise InputError(f'{file} lacks embeddings; it holds {", ".join(arrays) or "nothing"}')
    rows = arrays['embeddings']
    made = str(arrays.get('sha256', ''))
    if made and made != model['sha256']:
        raise InputError(f'{file} holds embeddings of a model of sha256 {made[:12]}, and the gallery those of '
                         f'{model["name"]} ({model["sha256"][:12]})')
    names = [str(name) for name in arrays.get('names', range(len(rows)))]
    if len(names) != len(rows):
        raise InputError(f'{file} has {len(names)} names for {len(rows)} embeddings')
    return names, rows


def warn_of_strangers(far, people):
    """Say so if a threshold that suits a pair is too low for so many people."""
    if far and people * far > 0.05:
        chance = 1 - (1 - far) ** people
        print(f'note: at a false accept rate of {far:g} a stranger is taken for one of {people:,} people in about '
              f'{chance:.0%} of searches: a lower --far, or a higher --threshold', file=sys.stderr)


def file_of(source):
    """Bytes of an image file that is to be kept, and its name.

    Raises:
        InputError: If it is no file.
    """
    if not Path(source).is_file():
        raise InputError(f'{source} is no file, so that --keep-images cannot keep it')
    return Path(source).read_bytes()
