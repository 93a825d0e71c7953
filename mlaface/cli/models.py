"""List the models that can be opened by name: data, licences, size, accuracies with their rules.

Examples:
  python tools/models.py
  python tools/models.py --all             configs without weights too
  python tools/models.py --json
"""
import json

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained


def parse(arguments=None):
    """Parse the command line."""
    parser = command('models', __doc__)
    parser.add_argument('--all', action='store_true', help='also the configs that have no weights')
    parser.add_argument('--json', action='store_true', help='a JSON list, for other programs')
    return parser.parse_args(arguments)


def main(argv=None):
    """List as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    with explained():
        from mlaface.zoo.index import read_index
        entries = [entry for entry in read_index().values() if args.all or entry.has_weights]
        if args.json:
            print(json.dumps([describe(entry) for entry in entries], indent=1))
            return
        show(entries)


def describe(entry):
    """A model of the index as plain values.

    Args:
        entry (Entry): As ``read_index`` gives.

    Returns:
        dict: ``name``, ``collection``, ``data``, ``license_weights``, ``license_data``, ``bytes``, ``weights``,
        ``config``, ``results``, ``warning``; None or empty where nothing is known.
    """
    known = entry.metadata
    return dict(name=entry.name, collection=entry.collection, data=known.get('Training Data'),
                license_weights=known.get('License Weights'), license_data=known.get('License Data'),
                bytes=known.get('File Size'), weights=entry.has_weights, config=entry.config, results=entry.results,
                warning=known.get('Warning'))


def show(entries):
    """Print models as a table, and under it the rules of their accuracies and what to be warned of."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table
    table = Table(Column('name', no_wrap=True), 'trained on', 'licence: weights', 'licence: data',
                  Column('MB', justify='right'), Column('accuracy', overflow='fold', min_width=10), pad_edge=False)
    rules, notes = {}, []
    for model in map(describe, entries):
        lines = []
        for row in model['results']:
            number = rules.setdefault(row.get('Rules') or 'not stated', len(rules) + 1)
            lines += [f'{row["Dataset"]} {value:.4f} ({number})' for key, value in row['Metrics'].items()
                      if key == 'Accuracy']
        size = f'{model["bytes"] / 1e6:.1f}' if model['bytes'] else ''
        table.add_row(*(escape(str(cell or '-')) for cell in (
            model['name'], model['data'], model['license_weights'], model['license_data'], size, '\n'.join(lines))))
        notes += [f'{model["name"]}: {model["warning"]}'] if model['warning'] else []
    console = Console()
    console.print(table)
    for rule, number in rules.items():
        console.print(f'({number}) {rule}', markup=False, highlight=False)
    for note in notes:
        console.print(f'warning: {note}', markup=False, highlight=False)
