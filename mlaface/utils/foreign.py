"""Parts of other libraries, named ``LIBRARY.NAME`` in configs."""
import inspect

from mlaface.registry import check_arguments, did_you_mean
from mlaface.utils.errors import UnknownNameError
from mlaface.utils.packages import import_optional


class Library:
    """A library whose parts configs can name.

    Args:
        prefix (str): Of the names.
        modules (Sequence[str]): Where its classes are, looked through in order.
        wrap (callable): ``wrap(part, **more)`` gives the part as ours are called; ``more`` are its keyword arguments
            with their defaults, which a config may state beside the part's own.
    """

    def __init__(self, prefix, modules, wrap):
        self.prefix, self.modules, self.wrap = prefix, modules, wrap
        self.more = [p.replace(kind=p.KEYWORD_ONLY) for p in list(inspect.signature(wrap).parameters.values())[1:]]

    def target(self, name):
        """The library's class of a name.

        Raises:
            MissingPackageError: If the library is not installed, or does not work; says what to type.
            UnknownNameError: If it has no such class; names the nearest.
        """
        modules = [import_optional(module, repr(f'{self.prefix}.{name}')) for module in self.modules]
        for module in modules:
            if inspect.isclass(getattr(module, name, None)):
                return getattr(module, name)
        known = [key for module in modules for key, value in vars(module).items() if inspect.isclass(value)]
        raise UnknownNameError(f'{self.modules[0]} has no {name!r}{did_you_mean(name, known)}')

    def named(self, name):
        """A function of the part's arguments that builds it, wrapped.

        Args:
            name (str): Without the prefix.

        Returns:
            function: Its signature is that of the part's class.
        """
        target = self.target(name)
        own = {parameter.name for parameter in _parameters(target)}
        for parameter in self.more:
            if parameter.name in own:
                raise UnknownNameError(f'{self.prefix}.{name} takes a {parameter.name} of its own and is none of the '
                                       'parts that are supported')

        def build(**arguments):
            more = {p.name: self.parts(arguments.pop(p.name)) for p in self.more if p.name in arguments}
            return self.wrap(target(**self.parts(arguments)), **more)
        build.__name__ = build.__qualname__ = f'{self.prefix}.{name}'
        build.__doc__ = target.__doc__
        build.__signature__ = inspect.Signature([*_parameters(target), *self.more])
        return build

    def parts(self, value):
        """Arguments in which dicts with a ``type`` of this library are replaced by what they describe."""
        if isinstance(value, (list, tuple)):
            return [self.parts(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        arguments = {key: self.parts(entry) for key, entry in value.items() if key != 'type'}
        library, _, name = str(value.get('type', '')).partition('.')
        if library != self.prefix:
            return arguments if 'type' not in value else {**arguments, 'type': value['type']}
        check_arguments(self.named(name), arguments)
        return self.target(name)(**arguments)


def _parameters(target):
    """Parameters of a class by name, with those of the classes that it hands ``**others`` on to.

    What one of these needs, the class may supply itself: only its own parameters are needed.
    """
    found = {}
    for number, kind in enumerate(kind for kind in target.__mro__ if '__init__' in vars(kind) and kind is not object):
        own = list(inspect.signature(kind.__init__).parameters.values())[1:]
        for parameter in own:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                default = None if number and parameter.default is parameter.empty else parameter.default
                found.setdefault(parameter.name, parameter.replace(kind=parameter.KEYWORD_ONLY, default=default))
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in own):
            break
    return list(found.values())
