"""Every registry of mlaface, and beside each the packages whose modules fill it.

A plugin is one file in the package of its registry: all modules of that package are imported when the
registry is first asked for a name. Plugins outside the tree register from ``custom_imports`` in a config or
from the entry-point group ``mlaface.plugins``. A class that is registered as ``timm.*`` stands for a family of names:
``timm.resnet18`` is a subclass of it whose attribute ``member`` is ``'resnet18'``, or what the class says by its method
``named``.
"""
import difflib
import inspect
import os
import pkgutil
import sys
import textwrap
import traceback
import types
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from mmengine import registry as mmengine_registry
from mmengine.config import Config
from mmengine.registry import Registry, build_from_cfg

from mlaface.utils.errors import ArgumentError, UnknownNameError, UserError

PLUGINS = 'mlaface.plugins'  # entry points
_plugins_loaded = False
OWN_PLUGIN = ("A plugin of your own must be imported: custom_imports=dict(imports=['my_plugin']) in the config, or "
              '--import my_plugin.')
LIBRARIES = frozenset(['site-packages', 'dist-packages'])
BY_ARGUMENTS = (ArithmeticError, AttributeError, LookupError, TypeError)  # errors of arguments that cannot be meant
VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _load_entry_points():
    """Import the out-of-tree plugins of the entry-point group ``mlaface.plugins``, once."""
    global _plugins_loaded
    if not _plugins_loaded:
        _plugins_loaded = True
        for plugin in entry_points(group=PLUGINS):
            plugin.load()


def _import_package(name):
    """Import a package and every module directly in it."""
    package = import_module(name)
    for module in pkgutil.iter_modules(getattr(package, '__path__', []), f'{name}.'):
        if not module.name.rpartition('.')[2].startswith('_'):
            import_module(module.name)


def nearest(word, known, cutoff=0.5):
    """The entry of ``known`` spelled most like ``word``, or None where the likeness (0 to 1) is below ``cutoff``."""
    lowered = {entry.lower(): entry for entry in known}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=cutoff)
    return lowered[close[0]] if close else None


def did_you_mean(word, known):
    """``; did you mean 'NEAREST'?``, or a full stop where nothing is near."""
    close = nearest(str(word), known)
    return f'; did you mean {close!r}?' if close else '.'


def parameters_of(target):
    """Parameters that a callable can be given by name.

    Args:
        target (callable): Class or function. A class that hands all it does not know (``*args, **kwargs``) on to the
            next in its line takes what that one takes.

    Returns:
        dict[str, inspect.Parameter] or None: None where it takes any name, or does not say.
    """
    line = [kind for kind in getattr(target, '__mro__', ()) if '__init__' in vars(kind) and kind is not object]
    found = {}
    for number in range(max(1, len(line))):
        try:
            parameters = inspect.signature(line[number].__init__ if number else target).parameters
        except (TypeError, ValueError):
            return None
        kinds = {p.kind for p in parameters.values()}
        named = {name: p for name, p in parameters.items() if name not in ('self', 'cls') and p.kind not in VARIABLE}
        found = {**named, **found}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return found
        if inspect.Parameter.VAR_POSITIONAL not in kinds:
            return None
    return None


def check_arguments(target, arguments, where='', beside=()):
    """Refuse keyword arguments that a callable does not take.

    Args:
        target (callable): Class or function that is to be called.
        arguments (Iterable[str]): Names of the keyword arguments.
        where (str): Where the arguments were written, for the message.
        beside (Iterable[str]): Other names that can stand there, and may be meant.

    Raises:
        ArgumentError: If a name is not in the signature; names the nearest one.
    """
    known = parameters_of(target)
    for name in arguments if known is not None else ():
        if name not in known:
            hint = did_you_mean(name, [*known, *beside])
            raise ArgumentError(f'{where}{_name(target)} has no argument {name!r}{hint} It takes: {", ".join(known)}.')


def check_required(target, arguments, where=''):
    """Refuse to call something without an argument that it needs.

    Args:
        target (callable): Class or function that is to be called.
        arguments (Container[str]): Names of the arguments that it will be given.
        where (str): Where the arguments were written, for the message.

    Raises:
        ArgumentError: If one without a default is not among them.
    """
    known = parameters_of(target) or {}
    missing = [name for name, p in known.items() if p.default is p.empty and name not in arguments]
    if missing:
        raise ArgumentError(f'{where}{_name(target)} needs {", ".join(map(repr, missing))}. '
                            f'It takes: {", ".join(known)}.')


def _name(target):
    return getattr(target, '__name__', target)


def _build_checked(cfg, registry, default_args=None):
    """Build as MMEngine does, with errors that name the nearest registered name or argument."""
    is_dict = isinstance(cfg, (dict, Config))
    if not is_dict or 'type' not in {**cfg, **(default_args or {})}:
        what = f'a dict without a type, {cfg}' if is_dict else repr(cfg)
        example = cfg if isinstance(cfg, str) else 'NAME'
        raise ArgumentError(f'a {registry.name} is written dict(type={example!r}, ...), got {what}')
    if isinstance(cfg.get('type'), str):
        target = registry.get(cfg['type'])
        check_arguments(target, [key for key in cfg if key not in ('type', '_scope_')])
        check_required(target, {**cfg, **(default_args or {})})
    try:
        return build_from_cfg(cfg, registry, default_args)
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, BY_ARGUMENTS) or type(error) is RuntimeError:  # what is derived of that says more
            kind = {**(default_args or {}), **cfg}['type']
            raise ArgumentError(_why_not_built(kind, cfg, registry, error)) from error
        raise


def _why_not_built(kind, cfg, registry, error):
    """What was to be built, what the config says of it, and which line of code did not take it."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    options = ', '.join(f'{key}={value!r}' for key, value in cfg.items() if key not in ('type', '_scope_'))
    return (f'{registry.name} {getattr(kind, "__name__", kind)}({textwrap.shorten(options, 200)}) cannot be built: '
            f'{type(error).__name__}: {error} ({os.path.basename(frame.f_code.co_filename)}:{line}; with '
            'MLAFACE_TRACEBACK=1 in the environment, all that led there)')


class FaceRegistry(Registry):
    """A registry that imports whole packages and explains a name it does not know."""

    def import_from_location(self):
        """Import every module of the registry's packages, and the out-of-tree plugins."""
        if not self._imported:
            self._imported = True
            try:
                for location in self._locations:
                    _import_package(location)
                _load_entry_points()
            except BaseException:
                self._imported = False
                raise

    def names(self):
        """All names that are registered here (not in the parent), sorted."""
        self.import_from_location()
        return sorted(self._module_dict)

    def classes(self):
        """Name -> what is registered here (not in the parent), sorted by name; imports no torch by itself."""
        return {name: self._module_dict[name] for name in self.names()}

    def knows(self, key):
        """Whether a name is registered here, or of a family that is (bool)."""
        return key in self.names() or self._of_family(key) is not None

    def _of_family(self, key):
        """The member of a family that ``PREFIX.NAME`` names, where ``PREFIX.*`` is registered; else None."""
        prefix, _, member = str(key).partition('.')
        family = self.classes().get(f'{prefix}.*') if member else None
        if family is None or member == '*':
            return family
        if hasattr(family, 'named'):
            return family.named(member)
        return type(key, (family,), dict(member=member, __doc__=family.__doc__, __module__=family.__module__))

    def _find(self, key):
        try:
            return super().get(key)
        except RuntimeError:  # what MMEngine raises for a name that is no import path either
            return None

    def get(self, key):
        """Return the class registered as ``key``.

        Raises:
            UnknownNameError: If there is none; names the nearest one and what was imported.
            MissingPackageError: If it is of a library that is not installed.
        """
        found = self._of_family(key) or self._find(key)
        if found is None and self.parent is not None:
            import_module('mmengine.runner')  # MMEngine's own registries know no locations: this fills them
            found = self._find(key)
        if found is None:
            forgotten = self._forgotten(key)
            if forgotten:
                raise UnknownNameError(f'{key!r} is not in the registry {self.name!r}: {forgotten}')
            raise UnknownNameError(f'{key!r} is not in the registry {self.name!r}{self._hint(key)} Imported: '
                                   f'{", ".join(self._locations) or "nothing"}. {OWN_PLUGIN}')
        return found

    def _forgotten(self, key):
        """What is missing where a class of that name stands in an imported module of the user's own (str), or None."""
        for name, module in list(sys.modules.items()):
            found = vars(module).get(key) if isinstance(module, types.ModuleType) else None
            if isinstance(found, type) and found.__module__ == name and _is_own(name, module):
                variable = next(variable for variable, registry in globals().items() if registry is self)
                return (f'{name} is imported and has a class of this name, which is not registered. Write '
                        f'@{variable}.register_module() above it (from mlaface.registry import {variable})')
        return None

    def _hint(self, key):
        """The nearest name here; or in another registry, where one is nearer, with what it is."""
        word = str(key).rpartition('.')[2]
        parent = self.parent.module_dict if self.parent is not None else {}
        here = nearest(word, [*self._module_dict, *parent])
        others = {name: other for other in REGISTRIES.values() if other is not self for name in other.names()}
        there = nearest(word, [*([here] if here else []), *others], cutoff=0.7)
        if there is None or there == here:
            return did_you_mean(word, [here] if here else [])
        return (f'; did you mean {there!r} of the registry {others[there].name!r}? '
                f'{first_line(others[there].get(there))}')


def _is_own(name, module):
    """Whether a module is a user's own: of no library, neither Python's nor an installed one's, nor of mlaface."""
    top, folders = name.partition('.')[0], Path(getattr(module, '__file__', None) or 'site-packages').parts
    return top != 'mlaface' and top not in sys.stdlib_module_names and not LIBRARIES.intersection(folders)


def first_line(plugin):
    """The first line of a plugin's docstring (str)."""
    return (inspect.getdoc(plugin) or '').partition('\n')[0]


def _registry(name, *locations, parent=None):
    """Make a registry of scope ``mlaface`` that is filled from ``locations``."""
    return FaceRegistry(name, build_func=_build_checked, parent=parent, scope='mlaface',
                        locations=[f'mlaface.{location}' for location in locations])


MODELS = _registry(
    'model', 'models', 'models.backbones', 'models.branches', 'models.fusions', 'models.necks', 'models.heads',
    parent=mmengine_registry.MODELS)
ATTENTION = _registry('attention', 'models.attention')
MARGINS = _registry('margin', 'models.margins')
LOSSES = _registry('loss', 'models.losses')
DATASETS = _registry('dataset', 'datasets.sets', parent=mmengine_registry.DATASETS)
DATA_SAMPLERS = _registry('data sampler', 'datasets.samplers', parent=mmengine_registry.DATA_SAMPLERS)
TRANSFORMS = _registry('transform', 'datasets.transforms', parent=mmengine_registry.TRANSFORMS)
PROTOCOLS = _registry('protocol', 'evaluation.protocols')
NETWORKS = _registry('network', 'evaluation.networks', 'apis')
METRICS = _registry('metric', 'evaluation', parent=mmengine_registry.METRICS)
EVALUATORS = _registry('evaluator', 'evaluation', parent=mmengine_registry.EVALUATOR)
HOOKS = _registry('hook', 'engine.hooks', parent=mmengine_registry.HOOKS)
LOOPS = _registry('loop', 'engine', parent=mmengine_registry.LOOPS)
PARAM_SCHEDULERS = _registry('parameter scheduler', 'engine', parent=mmengine_registry.PARAM_SCHEDULERS)
OPTIMIZERS = _registry('optimizer', 'engine.optimizers', parent=mmengine_registry.OPTIMIZERS)
OPTIM_WRAPPERS = _registry('optimizer wrapper', 'engine', parent=mmengine_registry.OPTIM_WRAPPERS)
OPTIM_WRAPPER_CONSTRUCTORS = _registry(
    'optimizer wrapper constructor', 'engine', parent=mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS)
MODEL_WRAPPERS = _registry('model wrapper', 'engine', parent=mmengine_registry.MODEL_WRAPPERS)
VISUALIZERS = _registry('visualizer', 'engine', parent=mmengine_registry.VISUALIZERS)
VISBACKENDS = _registry('visualizer backend', 'engine', parent=mmengine_registry.VISBACKENDS)
RUNNERS = _registry('runner', 'engine', parent=mmengine_registry.RUNNERS)
DETECTORS = _registry('detector', 'inference.detectors')
EXPORTERS = _registry('exporter', 'export.exporters')
GALLERY_ENGINES = _registry('gallery engine', 'gallery.engines')
EXECUTORS = _registry('executor', 'utils.executors')

REGISTRIES = {name: value for name, value in list(globals().items()) if isinstance(value, FaceRegistry)}
