"""What a gallery says of itself: which model made its embeddings, and how they are kept."""
import json
import uuid
from datetime import datetime, timezone

from mlaface.gallery.sealing import Checked, Encrypted, proof
from mlaface.utils.errors import InputError

SCHEMA = 1
BOUND = ('sha256', 'embedding_size', 'flip', 'input')  # what must be the same for embeddings to be comparable


def new_header(model, key=None):
    """The header of a new gallery.

    Args:
        model (dict): ``name``, ``sha256``, ``embedding_size``, ``flip`` where mirror images are joined, and ``input``
            where images are made otherwise than the model's file states.
        key (bytes or None): Encrypts it.

    Returns:
        dict: Plain values.
    """
    lacking = {'name', 'sha256', 'embedding_size'} - set(model)
    if lacking:
        raise InputError(f'a gallery is bound to a model: {", ".join(sorted(lacking))} of it must be known')
    name = uuid.uuid4().hex
    seal = Checked(name) if key is None else Encrypted(name, key)
    return dict(schema=SCHEMA, id=name, created=datetime.now(timezone.utc).isoformat(timespec='seconds'),
                model=dict(name=str(model['name']), sha256=model['sha256'],
                           embedding_size=int(model['embedding_size']), flip=model.get('flip', 'none'),
                           **({'input': model['input']} if 'input' in model else {})),
                sealing=seal.kind, proof=proof(seal))


def check_header(header, place):
    """Refuse a gallery that a later version wrote."""
    if header.get('schema') != SCHEMA:
        raise InputError(f'{place} is a gallery of schema {header.get("schema")}, and this version reads {SCHEMA}: '
                         'update mlaface')


def check_model(made, given, place):
    """Refuse embeddings of another model than the one that made the gallery.

    Args:
        made (dict): The model in the header.
        given (dict): The one that is used now; ``flip`` may be left out.
        place (str): Where the gallery is.

    Raises:
        InputError: Names both.
    """
    given = {'flip': made['flip'], **given}
    if any(_plain(made.get(field)) != _plain(given.get(field)) for field in BOUND):
        raise InputError(f'{place} holds embeddings of {describe(made)}, which cannot be compared with those of '
                         f'{describe(given)}: use that model, or enrol the images again in a new gallery')


def describe(model):
    """A model in few words (str)."""
    flip = '' if model.get('flip', 'none') == 'none' else f', flip {model["flip"]}'
    images = ''.join(f', {key} {value}' for key, value in (_plain(model.get('input')) or {}).items())
    return f'{model["name"]} (sha256 {str(model["sha256"])[:12]}, {model["embedding_size"]} numbers{flip}{images})'


def _plain(value):
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value))
