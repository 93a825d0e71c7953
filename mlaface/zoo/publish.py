"""A trained network as a published file, its card, and its entry of an index."""
import json
import warnings
from pathlib import Path

import numpy as np

from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.evaluation.networks.recognizer import RecognizerNetwork
from mlaface.evaluation.results.result import file_sha256
from mlaface.registry import MODELS
from mlaface.utils.configs import find_config
from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path
from mlaface.version import __version__
from mlaface.zoo.card import model_card
from mlaface.zoo.index import Entry, entry_of
from mlaface.zoo.metafile import metafile
from mlaface.zoo.model_file import SUFFIX, check_name, read_model_file, write_model_file

PERCENTILES = 1, 5, 25, 50, 75, 95, 99
HALF = 0.9999  # cosine of embeddings by rounded weights to those by the weights as trained
NOT_OF_THE_MODEL = {'head', 'compile'}  # class centres, and how fast the trainer ran


def publish(model, folder, name, thresholds=None, quality=None, result=None, license_weights=None, license_data=None,
            data=None, recipe=None, collection=None, half=False, address=None):
    """Write a network as one safetensors file with all that is known of it; beside it a card and an index entry.

    What is not given is that of the published file, or of the entry of the index, that the network was opened from.

    Args:
        model (FaceRecognizer): From ``init_model``, with its moving average if it has one; no head is kept.
        folder (str | Path): Where to.
        name (str): Of the model; the file is ``NAME-HASH.safetensors``.
        thresholds (dict or None): As ``read_thresholds`` gives.
        quality (dict or None): As ``quality_range`` gives.
        result (dict or None): Result JSON of this network.
        license_weights (str or None): SPDX identifier, such as ``'Apache-2.0'``.
        license_data (str or None): Of what it was trained on.
        data (str or None): What it was trained on.
        recipe (str or None): The config that trains it, such as ``configs/mla_mbf_synthetic.py``.
        collection (str or None): The method's name in the index, such as ``'MLA-ArcFace'``.
        half (bool): Store kernels and matrices as float16, half the bytes; they are read as float32. Default False.
        address (str or None): Of the folder that the file will be in, http or https, for ``Weights`` of the entry.

    Returns:
        dict: ``model``, ``card`` and ``metafile`` (Path), and ``metadata``.

    Raises:
        InputError: If the name cannot be a file's, there is no such recipe, the config holds more than plain values,
            the result is of another network, or the file would not give back the network; nothing is written then.
    """
    check_name(name)
    check_address(address)
    if recipe is not None and not find_config(recipe).is_file():
        raise InputError(f'no recipe at {recipe}: give the config that trains it, such as configs/mla_mbf_synthetic.py')
    known, entry = model.restored.content, entry_of(model.restored.file) or Entry(name, None)
    state = {key: value for key, value in model.state_dict().items() if not key.startswith('head.')}
    measured = known if _is_published(model.restored.file, state) else {}
    metadata = _metadata(model, name)
    metadata.update(thresholds=_own(thresholds, model, 'thresholds') or measured.get('thresholds'),
                    quality=quality or measured.get('quality'),
                    results=_own(result, model, 'result') or measured.get('results'))
    metadata.update(
        license_weights=license_weights or known.get('license_weights') or entry.metadata.get('License Weights'),
        license_data=license_data or known.get('license_data') or entry.metadata.get('License Data'),
        data=data or known.get('data') or entry.metadata.get('Training Data'),
        recipe=recipe or known.get('recipe') or entry.config)
    rounded = measured.get('weights') == 'float16'  # already: nothing is lost
    if half or rounded:
        state = {key: value.half() if value.dim() > 1 and value.is_floating_point() else value
                 for key, value in state.items()}
    metadata.update(weights='float16' if half or rounded else 'as trained')
    check_reproduced(model, metadata['config'], state, HALF if half and not rounded else None)
    path = write_model_file(folder, name, state, metadata)
    try:
        facts = dict(metadata, collection=collection or entry.collection, warning=entry.metadata.get('Warning'),
                     weights_address=address and f'{address.rstrip("/")}/{path.name}')
        return dict(_describe(path, facts, model), metadata=metadata)
    except BaseException:
        path.unlink()
        raise


def check_address(address):
    """Refuse what is no address of a folder, and warn of one that is not encrypted.

    Raises:
        InputError: If it is neither None nor begins with http:// or https://.
    """
    if address is not None and not address.startswith(('http://', 'https://')):
        raise InputError(f'{address!r} is no address to download from: https://HOST/FOLDER')
    if address is not None and address.startswith('http://'):
        warnings.warn(f'{address} is not encrypted: mlaface compares what it fetches with the SHA-256, mim does '
                      'not; give https:// where the host has it', stacklevel=2)


def _describe(path, metadata, model):
    """Write card and index entry beside a model file; gives the three paths."""
    written = dict(model=path, **{key: path.with_name(f'{metadata["name"]}.{ending}')
                                  for key, ending in (('card', 'md'), ('metafile', 'yml'))})
    facts = dict(metadata, file=path.name, sha256=file_sha256(path), size=path.stat().st_size,
                 parameters=sum(value.numel() for value in model.parameters()))
    for key, text in (('card', model_card(facts)), ('metafile', metafile(facts))):
        with atomic_path(written[key]) as temporary:
            temporary.write_text(text)
    return written


def _is_published(file, state):
    """Whether these weights are those of a published file, so that what was measured holds for them."""
    if not str(file).endswith(SUFFIX):
        return False
    _, stored = read_model_file(file)
    return stored.keys() == state.keys() and all(
        bool((stored[key].to(value.dtype) == value.cpu()).all()) for key, value in state.items())


def _metadata(model, name):
    """What the file says of the network itself."""
    known = model.restored.content
    return dict(
        mlaface=__version__, name=name, config=plain_config(model.restored.config), input=model.input,
        template=TEMPLATE.tolist(), embedding_size=model.embedding_size, flip=getattr(model, 'flip', None),
        classes_sha256=known.get('classes_sha256'), num_classes=known.get('num_classes'), commit=known.get('commit'),
        seed=known.get('seed'), trained_by=known.get('trained_by') or known.get('mlaface'))


def plain_config(config):
    """A network's config as JSON has it, without what is of no use to the network.

    Raises:
        InputError: If it holds anything else than plain values; names the type.
    """
    try:
        return json.loads(json.dumps({key: value for key, value in config.items() if key not in NOT_OF_THE_MODEL}))
    except TypeError as error:
        raise InputError(f'the network\'s config is not of plain values ({error}): it cannot be published') from error


def _own(report, model, what):
    """Thresholds or a result of this very network, without the file that they were made for."""
    if report is None:
        return None
    made_for, file = (report.get('model') or {}).get('sha256'), model.restored.file
    if made_for is not None and file is not None and made_for != file_sha256(file):
        raise InputError(f'the {what} given is of another network ({report["model"].get("file")}, SHA-256 '
                         f'{made_for[:16]}...) than {file}')
    return {key: value for key, value in report.items() if key not in ('model', 'comparisons')}


def check_reproduced(model, config, state, least=None):
    """Refuse to publish what would not be read as the network that it was.

    Args:
        model (FaceRecognizer): The network.
        config (dict): Its config as data.
        state (dict[str, Tensor]): Its weights, as they will be stored.
        least (float or None): Least cosine to its own embeddings; None: the same bits.

    Raises:
        InputError: If what they make gives other embeddings.
    """
    import torch
    device = next(iter(state.values())).device
    twin = MODELS.build({**config, 'head': None}).to(device).eval()
    twin.load_state_dict(state)
    size = (model.input or {}).get('size', (112, 112))
    images = np.random.default_rng(0).integers(0, 256, (3, 3, *size), dtype=np.uint8)
    images = torch.from_numpy(images).to(device)
    with torch.inference_mode():
        own, again = model(images), twin(images)
    same = torch.nn.functional.cosine_similarity(own, again).min()
    if not (torch.equal(own, again) if least is None else same >= least):
        raise InputError('config and weights, as they would be stored, make another network than the one that was '
                         f'trained (cosine of its embeddings {float(same):.6f}): it cannot be published'
                         + (' with half the bytes' if least else ''))


def quality_range(model, images, source, batch_size=64):
    """How long the embeddings of given faces are: a face far below is a bad one to this network.

    Args:
        model (FaceRecognizer): As in ``publish``.
        images (object): Has ``read(rows)`` and a length, as ``evaluation.images`` gives.
        source (str): What the images are.
        batch_size (int): Images of a forward pass.

    Returns:
        dict: ``norm``: percentile (str) -> length, to four digits: the last ones change with the threads of the
        moment, and with them would the file's hash and name; ``images`` and ``source``.
    """
    from mlaface.evaluation.embeddings.embed import embed_images
    size = (model.input or {}).get('size', (112, 112))
    device = next(model.parameters()).device
    network = RecognizerNetwork(model, None, device, size)
    norms = np.concatenate([np.linalg.norm(part['embeddings'], axis=1)
                            for part in embed_images(network, images, batch_size=batch_size, flip=False)])
    lengths = np.percentile(norms, PERCENTILES)
    return dict(norm={str(key): float(f'{value:.4g}') for key, value in zip(PERCENTILES, lengths)}, images=len(norms),
                source=Path(source).name)
