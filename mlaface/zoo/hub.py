"""Models on a hub: huggingface_hub says what is there, and the bytes are fetched as those of all other addresses."""
import json
import re
from contextlib import contextmanager
from typing import NamedTuple

from mlaface.utils.cache import cache_folder
from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path
from mlaface.utils.packages import import_optional
from mlaface.zoo.download import DownloadError, has_hash, is_offline
from mlaface.zoo.mirror import fetch
from mlaface.zoo.model_file import HASHED

PART = r'[A-Za-z0-9_][A-Za-z0-9_.-]*'
ADDRESS = re.compile(rf'hf://({PART}/{PART})(?:@({PART}))?(?:/({PART}))?')
NAME = re.compile(PART)


class Address(NamedTuple):
    """``OWNER/NAME``, revision or None, file or None."""
    repo: str
    revision: str | None
    file: str | None


def parse_address(text):
    """Take ``hf://OWNER/NAME[@REVISION][/FILE]`` apart.

    Raises:
        InputError: If it is none.
    """
    found = ADDRESS.fullmatch(text)
    if not found:
        raise InputError(f'{text} is no address of a hub: hf://OWNER/NAME, hf://OWNER/NAME@REVISION or '
                         'hf://OWNER/NAME/FILE')
    return Address(*found.groups())


def _api():
    """The package ``huggingface_hub``, and its interface to the hub; ``HF_ENDPOINT`` names another than its own."""
    huggingface_hub = import_optional('huggingface_hub', 'hf://')
    return huggingface_hub, huggingface_hub.HfApi()


def hub_file(address, progress=None):
    """The file of a model on the hub, in the cache.

    Args:
        address (str): ``hf://OWNER/NAME``, with ``@REVISION`` and ``/FILE`` if wanted.
        progress (callable or None): As in ``download``.

    Returns:
        Path: The file, whose hash is that which the hub states.

    Raises:
        InputError: If there is no model file of mlaface, or several and none is named.
        DownloadError: If the hub cannot be reached or does not know it.
    """
    wanted = parse_address(address)
    folder = cache_folder('zoo', 'hf', *wanted.repo.split('/'), wanted.revision or 'latest')
    note = folder / f'{wanted.file or "default"}.json'
    if is_offline():
        return _cached(note, address)
    name, url, sha256, size, headers = _look_up(wanted, address)
    path = fetch(url, folder / name, sha256, size, headers, progress)
    with atomic_path(note) as temporary:
        temporary.write_text(json.dumps(dict(file=name, sha256=sha256)))
    return path


def _cached(note, address):
    """What was fetched last."""
    if note.is_file():
        found = json.loads(note.read_text())
        path = note.parent / found['file']
        if path.is_file() and has_hash(path, found['sha256']):
            return path
    raise DownloadError(f'{address} is not in the cache ({note.parent}), and MLAFACE_OFFLINE is set')


def _look_up(wanted, address):
    """Name, address, SHA-256, size and headers of the model's file."""
    hub, api = _api()
    with in_one_line(address, '. What was fetched before is taken with MLAFACE_OFFLINE=1'):
        info = api.model_info(wanted.repo, revision=wanted.revision, files_metadata=True)
    names = {sibling.rfilename: sibling for sibling in info.siblings or [] if NAME.fullmatch(sibling.rfilename)}
    name = _choose(wanted.file, list(names), address)
    lfs, stated = names[name].lfs, HASHED.search(name)
    if lfs is None and stated is None:
        raise InputError(f'{address}/{name}: neither the hub nor its name states its hash')
    url = hub.hf_hub_url(wanted.repo, name, revision=info.sha)
    return name, url, lfs.sha256 if lfs else stated[1], names[name].size, hub.utils.build_hf_headers()


def _choose(file, names, address):
    models = [name for name in names if HASHED.search(name)]
    if file is not None and file in names:
        return file
    if file is None and len(models) == 1:
        return models[0]
    raise InputError(f'{address}: ' + (
        f'there is no file {file}; there are {", ".join(names)}' if file is not None else
        f'there are several models, {", ".join(models)}: name one, hf://OWNER/NAME/FILE' if models else
        f'there is no model file of mlaface (NAME-HASH.safetensors) among {", ".join(names) or "no files"}'))


@contextmanager
def in_one_line(address, remedy=''):
    """What the library raises inside, as ``DownloadError`` in one line, with what to do."""
    try:
        yield
    except Exception as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()][:2] or [type(error).__name__]
        raise DownloadError(f'{address}: {" ".join(said).rstrip(".")}{remedy}') from error


def upload(written, address, name, private=False):
    """Put a published model with its card on the hub, in one commit.

    Args:
        written (dict): ``model`` and ``card`` (Path), as ``publish`` gives.
        address (str): ``hf://OWNER/NAME``; made if it is not there.
        name (str): Of the model; other files ``NAME-HASH.safetensors`` are removed from the latest revision.
        private (bool): Whether a new repository is seen by its owner only. Default False.

    Returns:
        str: Address of the commit.

    Raises:
        InputError: If the address names a file or a revision.
        DownloadError: If the hub refuses; says why.
    """
    wanted = parse_address(address)
    if wanted.file or wanted.revision:
        raise InputError(f'{address}: publish to hf://OWNER/NAME, without revision and file')
    hub, api = _api()
    with in_one_line(address):
        api.create_repo(wanted.repo, exist_ok=True, private=private)
        steps = [hub.CommitOperationAdd(name_there, str(path)) for name_there, path in (
            (written['model'].name, written['model']), ('README.md', written['card']))]
        old = [file for file in api.list_repo_files(wanted.repo)
               if HASHED.sub('', file) == name and file != written['model'].name]
        steps += [hub.CommitOperationDelete(file) for file in old]
        commit = api.create_commit(wanted.repo, steps, commit_message=f'Publish {written["model"].stem}')
    return str(commit.commit_url)
