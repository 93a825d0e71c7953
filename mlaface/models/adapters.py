"""Parts of other packages as plugins of ours, by name."""
import inspect

from mlaface.registry import did_you_mean
from mlaface.utils.errors import ArgumentError, UnknownNameError


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
