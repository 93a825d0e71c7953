"""Parts of packages beside ours, by name: what is missing, or unknown, is said in one line."""
import inspect
from importlib import import_module

from mlaface.registry import did_you_mean
from mlaface.utils.errors import ArgumentError, UnknownNameError

REMEDIES = {'timm': "pip install 'mlaface[timm]'",
            'mmcv': "pip install --no-deps mmcv-lite, or with the full mmengine 'mlaface[mmcv]'",
            'captum': "pip install 'mlaface[captum]'"}


def import_optional(module, key):
    """A module of an optional package.

    Args:
        module (str): Its name.
        key (str): What is asked for, for the message.

    Raises:
        UnknownNameError: If it cannot be imported; says how it is installed, and what the package itself lacks.
    """
    try:
        return import_module(module)
    except (ImportError, RuntimeError) as error:  # torchvision without its operators raises the latter
        package = module.partition('.')[0]
        missing = isinstance(error, ModuleNotFoundError) and error.name == package
        state = 'is not installed' if missing else f'cannot be imported ({error})'
        raise UnknownNameError(f'{key!r} needs {package}, which {state}: {REMEDIES[package]}') from error


def unknown(key, names, kind):
    """An ``UnknownNameError`` for a name that a package has not.

    Args:
        key (str): ``'PACKAGE.NAME'``.
        names (Iterable[str]): Those that it has.
        kind (str): What they are, in the plural.
    """
    package, _, name = key.partition('.')
    return UnknownNameError(f'{key!r}: {package} has no {name!r} among its {kind}{did_you_mean(name, names)} It has: '
                            f'{", ".join(sorted(names))}.')


def with_channels(target, name):
    """A class of another package as a plugin of ours: the number of channels is its argument ``channels``.

    Args:
        target (type): Module class whose first argument is the number of channels, by whatever name.
        name (str): The plugin's, for messages.

    Returns:
        callable: Of ``channels`` and the class's other arguments, by name; its modules keep the weights that they start
        with.
    """
    first, *others = inspect.signature(target).parameters.values()

    def build(channels, **options):
        try:
            module = target(channels, **options)
        except (AssertionError, TypeError, ValueError) as error:
            raise ArgumentError(f'{name} cannot be built of {channels} channels and {options}: '
                                f'{str(error) or type(error).__name__}') from error
        module.own_init = module.is_attention = True
        return module
    build.__name__ = build.__qualname__ = name
    build.__doc__ = inspect.getdoc(target)
    channels = inspect.Parameter('channels', inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [parameter for parameter in others if parameter.name != 'channels']
    build.__signature__ = inspect.Signature([channels, *named])
    return build
