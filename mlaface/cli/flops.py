"""What a network costs, by its parts: parameters, multiply-accumulates, activations, time.

Multiply-accumulates are of convolutions and matrix products, as papers count them; norms, activations and sums are left
out. Activations are the numbers that those products give. The class centres belong to training and are not counted.

Examples:
  python tools/analysis/flops.py configs/arcface_r100_ms1mv3.py
  python tools/analysis/flops.py work_dirs/mla_r50_ms1mv3/best.pth --batch-size 32 --json costs.json
  python tools/analysis/flops.py mla_r18w025_drawn --repeats 0
"""
import json
from pathlib import Path

from mlaface.cli.parts.arguments import command, count, count_from_zero
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.imports import add_imports

CONFIGS = ('.py', '.json', '.yml', '.yaml')
COLUMNS = dict(parameters='parameters', macs='MACs', activations='activations', milliseconds='ms')


def _parser():
    parser = command('flops', __doc__)
    parser.add_argument('model', metavar='CONFIG | MODEL', help='a config, a checkpoint, or a name of the zoo')
    parser.add_argument('--config', help='config of the network, for a file without one')
    parser.add_argument('--batch-size', type=count, default=1, metavar='N', help='images of a timed pass (default 1)')
    parser.add_argument('--repeats', type=count_from_zero, default=10, metavar='N',
                        help='timed passes, of which the median counts; 0 times nothing (default 10)')
    parser.add_argument('--device', default='auto', help='where it is timed: cpu, cuda ... (default a GPU if there is '
                        'one)')
    parser.add_argument('--json', metavar='FILE', help='write the numbers as JSON')
    add_imports(parser)
    return parser


def _report(args):
    from mlaface.apis import init_model
    from mlaface.cli.benchmarks.harness import environment
    from mlaface.cli.parts.device import choose_device
    from mlaface.utils.flops import costs
    device = choose_device(args.device)
    is_config = Path(args.model).suffix in CONFIGS
    model = init_model(None if is_config else args.model, args.model if is_config else args.config, device,
                       imports=args.imports)
    rows = costs(model, args.batch_size, args.repeats)
    total = {key: sum(row[key] for row in rows) for key in rows[0] if key != 'part'}
    return dict(schema=1, model=args.model, input=[3, *model.input_spec['size']], embedding_size=model.embedding_size,
                batch_size=args.batch_size, environment={**environment(), 'device': device}, parts=rows, total=total)


def _number(key, value):
    if key == 'milliseconds':
        return f'{value:.2f}'
    return f'{value:,}' if value < 1e6 else f'{value / 1e6:,.2f} M'


def _show(report):
    from rich.console import Console
    from rich.table import Table
    channels, height, width = report['input']
    keys = [key for key in COLUMNS if key in report['total']]
    table = Table('part', show_footer=True)
    table.columns[0].footer = 'all'
    for key in keys:
        table.add_column(COLUMNS[key], _number(key, report['total'][key]), justify='right')
    for row in report['parts']:
        table.add_row(row['part'], *(_number(key, row[key]) for key in keys))
    console = Console()
    console.print(f'{report["model"]}: an image of {channels} x {height} x {width} to {report["embedding_size"]} '
                  'numbers', highlight=False)
    console.print(table)
    if 'milliseconds' in keys:
        place = report['environment']
        console.print(f'ms: of an image in batches of {report["batch_size"]}, on {place["device"]}, '
                      f'{place["cpu_threads"]} thread(s)', highlight=False)


def main(argv=None):
    """Count, time and print; ``argv`` (list[str]) is by default the process's."""
    args = _parser().parse_args(argv)
    with explained():
        report = _report(args)
        _show(report)
        if args.json:
            Path(args.json).write_text(json.dumps(report, indent=2) + '\n')
