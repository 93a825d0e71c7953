"""A model of OpenVINO as a network."""
import re
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from mlaface.evaluation.networks.base import Network
from mlaface.evaluation.networks.common import as_embeddings, describe
from mlaface.evaluation.networks.input_format import (
    InputFormat,
    overrides,
    stated_input,
    stated_thresholds,
    takes_bytes,
)
from mlaface.registry import NETWORKS
from mlaface.utils.checksums import checksum, damaged
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.packages import import_optional

METADATA = 'mlaface'  # the branch of a model's rt_info
STATED_WEIGHTS = re.compile(rb'<mlaface>.*?<weights value="([0-9a-f]{8})"', re.DOTALL)  # as the exporter wrote it
HINTS = dict(bfloat16='bf16', float16='f16')


@NETWORKS.register_module('openvino')
class OpenvinoNetwork(Network):
    """OpenVINO's ``.xml`` with its ``.bin`` beside it; ours says how its images are made, others follow options.

    On processors that have bfloat16, OpenVINO computes float32 models in it unless it is told otherwise; here the
    file's own precision is kept.

    Args:
        path (str): The ``.xml`` file.
        device (str): ``'cpu'``, or OpenVINO's name of another device, such as ``'GPU'``.
        options (dict or None): Fields of ``InputFormat``; they stand above what the file says.

    Raises:
        MissingPackageError: If OpenVINO is not installed.
        MissingDataError: If there is no ``.bin`` beside the ``.xml``; names it.
        InputError: If the file is no model of one input; names it.
        DamagedFileError: If the ``.bin`` is not the one that the ``.xml`` was written with.
    """

    def __init__(self, path, device='cpu', options=None):
        self.path = path
        model = _read(path)
        metadata = metadata_of_model(model)
        self.flip, self.bytes = metadata.get('flip', 'none'), takes_bytes(metadata)
        self.thresholds = stated_thresholds(metadata)
        if self.bytes and {'mean', 'std'} & set(options or ()):
            raise InputError(f'--mean and --std: {path} takes bytes and normalises them itself')
        self.overridden = overrides(metadata, options)
        self.format = replace(InputFormat(), **{**stated_input(metadata), **(options or {})})
        self.size = self.format.size
        self.model = _compile(model, device, HINTS.get(metadata.get('precision'), 'f32'), path)

    @classmethod
    def accepts(cls, name):
        """A file ``.xml``; that its ``.bin`` lies beside it is looked at when it is opened. See the base class."""
        return name.endswith('.xml') and Path(name).is_file()

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        prepared = self.format.prepare_bytes(images) if self.bytes else self.format.prepare(images)
        try:
            output = self.model(prepared)[0]
        except RuntimeError as error:
            raise InputError(f'{self.path} cannot take images of shape {prepared.shape}: {_reason(error)}. See '
                             '--size and --layout') from error
        return as_embeddings(output, len(images), self.path)

    def describe(self):
        """The ``model`` entry of result JSON."""
        return describe(self.path, asdict(self.format))


def metadata_of_model(model):
    """What a model of ours says of itself (dict[str, str]); nothing for a foreign one."""
    info = model.rt_info
    return {key: str(value.value) for key, value in model.get_rt_info([METADATA]).astype(dict).items()} \
        if METADATA in info else {}


def openvino():
    """The package; ``MissingPackageError`` says how it is installed."""
    return import_optional('openvino', "a model of OpenVINO's")


@cache
def core():
    """OpenVINO's core, one for the life of the process.

    On processors with AMX each core gives the thread a stack for signals and, when it goes, brings back the one that it
    found: of two that overlapped the second brings back the freed stack of the first, and the next signal that Python
    handles, such as Ctrl-C or a child's end, ends the process.
    """
    return openvino().Core()


def _read(path):
    weights = Path(path).with_suffix('.bin')
    if not weights.is_file():
        raise MissingDataError(f'{weights} is missing, which holds the weights of {path}: an OpenVINO model is two '
                               'files, copy both')
    text = Path(path).read_bytes()
    if b'<net' not in text:  # OpenVINO would take it for files of others, whose readers write to the terminal
        raise InputError(f'{path} is no model of OpenVINO: it has no <net>')
    stated = STATED_WEIGHTS.search(text)
    if stated and stated[1].decode() != checksum(weights):  # before OpenVINO stumbles over them
        raise damaged(weights, f'its bytes are not those that {Path(path).name} was written with')
    try:
        model = core().read_model(str(path))
    except RuntimeError as error:
        raise InputError(f'{path} and its .bin cannot be opened as a model of OpenVINO: {_reason(error)}') from error
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(f'{path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs; one each is needed')
    return model


def _reason(error):
    """The last line of OpenVINO's error: those before it name the lines of its code that it came through."""
    return [type(error).__name__, *(line.strip() for line in str(error).splitlines() if line.strip())][-1]


def _compile(model, device, hint, path):
    try:
        return core().compile_model(model, device.upper().partition(':')[0], {'INFERENCE_PRECISION_HINT': hint})
    except RuntimeError as error:
        raise InputError(f'{path} cannot run on {device}: {_reason(error)}') from error
