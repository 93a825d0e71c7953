"""List what is registered: name, signature, first line of the description.

Examples:
  python tools/list_plugins.py
  python tools/list_plugins.py margins
  python tools/list_plugins.py attention --plain
  python tools/list_plugins.py attention --import my_package.my_plugin
  python tools/list_plugins.py mla-gated        # every plugin whose name or description says so
"""
import inspect
import re

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.imports import add_imports
from mlaface.registry import REGISTRIES, did_you_mean, first_line
from mlaface.utils.errors import UnknownNameError
from mlaface.utils.imports import import_modules


def describe_plugin(plugin):
    """Signature and first docstring line of a registered class or function.

    Args:
        plugin (callable): What was registered.

    Returns:
        tuple[str, str]: ``(depth=18, width=1.0)``, ``IResNet (Duta et al., 2021).``
    """
    try:
        parameters = [p.replace(annotation=p.empty) for name, p in inspect.signature(plugin).parameters.items()]
        signature = str(inspect.Signature(parameters))
    except (TypeError, ValueError):
        signature = '(...)'
    return signature, first_line(plugin)


def plugins(word=None):
    """The plugins of one registry, of all, or those whose name or description has a word.

    Args:
        word (str, optional): Name of a registry as in ``mlaface.registry``, in any case and with or without its s; or
            what is looked for, where capitals, hyphens and underscores do not matter: ``mla_gated_arcface``.

    Returns:
        dict[str, list[tuple[str, str, str]]]: Registry name -> (name, signature, first line).

    Raises:
        UnknownNameError: If there is no such registry or plugin; names the nearest.
    """
    one = (word or '').upper()
    one = one if one in REGISTRIES else f'{one}S'
    chosen = {one: REGISTRIES[one]} if one in REGISTRIES else REGISTRIES
    found = {name: [(key, *describe_plugin(registry.get(key))) for key in registry.names()]
             for name, registry in chosen.items()}
    if word is None or one in REGISTRIES:
        return found
    matching = {name: [row for row in rows if any(_plain(word) in _plain(row[column]) for column in (0, 2))]
                for name, rows in found.items()}
    if not any(matching.values()):
        names = [name.lower() for name in REGISTRIES]
        known = [*names, *(row[0] for rows in found.values() for row in rows)]
        raise UnknownNameError(f'no registry or plugin {word!r}{did_you_mean(word, known)} Registries: '
                               f'{", ".join(names)}.')
    return {name: rows for name, rows in matching.items() if rows}


def _plain(text):
    """Letters and digits alone, in lower case."""
    return re.sub('[^a-z0-9]', '', text.lower())


def show_plugins(word=None, plain=False):
    """Print ``plugins`` as tables, or as tab-separated lines."""
    found = plugins(word)
    if plain:
        for name, rows in found.items():
            for row in rows:
                print(name, *row, sep='\t')
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table
    console = Console()
    for name, rows in found.items():
        table = Table(Column('name', overflow='fold'), 'arguments', 'what it is', title=f'{name} ({len(rows)})',
                      show_lines=True)
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)


def parse(arguments=None):
    """Parse the command line."""
    parser = command('list-plugins', __doc__)
    parser.add_argument('word', nargs='?', metavar='REGISTRY | WORD', help='one registry: margins, attention, '
                        'models ...; or a word that the name or description of a plugin has (default: all)')
    parser.add_argument('--plain', action='store_true', help='tab-separated lines, for other programs')
    add_imports(parser)
    return parser.parse_args(arguments)


def main(argv=None):
    """List as the arguments say; ``argv`` (list[str]) is by default the process's."""
    options = parse(argv)
    with explained():
        import_modules(options.imports)
        show_plugins(options.word, options.plain)
