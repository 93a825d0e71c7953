"""``plan_memory CONFIG --gpus 8 --batch-size 128``: what a training step needs on each rank, before it is run.

Examples:
  python tools/analysis/plan_memory.py configs/mla_r100_glint360k.py --gpus 8 --batch-size 128
  python tools/analysis/plan_memory.py configs/arcface_r50_ms1mv3.py --classes 2000000 --amp bfloat16 --table
  python tools/analysis/plan_memory.py configs/mla_r18w025_synthetic.py --measure
"""
import json
from dataclasses import asdict
from pathlib import Path

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.memory_table import IDENTITIES, show_table, table_rows
from mlaface.engine.memory_plan import HeadPlan, alternatives, moments_of, plan


def _parser():
    parser = command('plan-memory', __doc__)
    parser.add_argument('config', help='config of the run')
    parser.add_argument('--gpus', type=int, default=1, help='ranks (default 1)')
    parser.add_argument('--batch-size', type=int, help="images on a rank (default: the config's)")
    parser.add_argument('--classes', type=int,
                        help='identities (default: those that the config states, or the data has)')
    parser.add_argument('--sample-rate', type=float, help="of the head (default: the config's)")
    parser.add_argument('--chunk-size', type=int, help="of the head, 0 for none (default: the config's)")
    parser.add_argument('--optimizer', help="type of the optimizer (default: the config's)")
    parser.add_argument('--amp', choices=('none', 'bfloat16', 'float16'),
                        help="mixed precision (default: the config's)")
    parser.add_argument('--json', metavar='FILE', help='write the plan as JSON')
    parser.add_argument('--table', action='store_true',
                        help='instead, the table of docs/scale.md: 93 k to 100 M identities on 1 to 512 ranks')
    parser.add_argument('--measure', action='store_true',
                        help='also run one real step on the CPU in one process, and compare; mind the size')
    return parser


def _classes(cfg, args):
    """Identities: as given, as the config states them of its head or its data, or as the data has."""
    dataset = cfg.get('train_dataloader', {}).get('dataset', {})
    stated = args.classes or cfg.model['head'].get('num_classes') or dataset.get('num_classes')
    if isinstance(stated, (list, tuple)):
        return stated[0]
    if stated is None:
        from mlaface.engine.config import fill_num_classes
        try:
            fill_num_classes(cfg)
        except Exception as error:
            raise ValueError(f'the number of identities is not known: give --classes ({error})') from error
        stated = cfg.model['head']['num_classes']
    return stated


def _positive(args):
    for name in ('gpus', 'batch_size', 'classes', 'sample_rate'):
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise ValueError(f'--{name.replace("_", "-")} is {value}; it must be above 0')
    if args.sample_rate is not None and args.sample_rate > 1:
        raise ValueError(f'--sample-rate is {args.sample_rate}; it is a share, at most 1')
    if args.chunk_size is not None and args.chunk_size < 0:
        raise ValueError(f'--chunk-size is {args.chunk_size}; it must be 0 (none) or above')


def _per_class(head):
    from mlaface.registry import MARGINS
    return MARGINS.build(head['margin']).centers_per_class if head.get('margin') else 1


def _head_plan(cfg, args, width):
    head, update = cfg.model['head'], dict(cfg.optim_wrapper['optimizer'])
    momentum = update.get('momentum', 0.9)
    chunk = head.get('chunk_size') if args.chunk_size is None else args.chunk_size
    result = HeadPlan(
        classes=_classes(cfg, args), width=width, gpus=args.gpus, batch_size=_batch_size(cfg, args),
        sample_rate=args.sample_rate or head.get('sample_rate', 1.0), chunk_size=chunk or None,
        optimizer=args.optimizer or update['type'], momentum=momentum, per_class=_per_class(head),
        weight_decay=update.get('weight_decay', 0.0))
    moments_of(result.optimizer)
    if result.classes < result.gpus:
        raise ValueError(f'{result.classes} identities cannot be split over {result.gpus} ranks')
    return result


def _batch_size(cfg, args):
    size = args.batch_size or cfg.get('train_dataloader', {}).get('batch_size')
    if not size:
        raise ValueError('the config states no batch size: give --batch-size')
    return size


def _amp(cfg, args):
    return cfg.optim_wrapper.get('amp') if args.amp is None else None if args.amp == 'none' else args.amp


def _gb(size):
    return f'{size / 1e9:,.2f}' if size >= 1e7 else f'{size / 1e9:.4f}'


def _show(report, head, others):
    from rich.console import Console
    from rich.table import Table
    table = Table()
    table.add_column('part')
    table.add_column('GB', justify='right')
    for name, size in report['parts'].items():
        table.add_row(name, _gb(size))
    table.add_row('peak of a step', _gb(report['peak']), style='bold')
    console = Console()
    console.print(f'per rank: {head.classes:,} identities, {head.gpus} rank(s), batch {head.batch_size} each',
                  highlight=False)
    console.print(table)
    for name, size in report['communication'].items():
        console.print(f'{name} sends {size / 1e6:,.1f} MB a step and rank', highlight=False)
    for change, size in others.items():
        console.print(f'with {change}: peak {_gb(size)} GB', highlight=False)


def _measure(cfg, args, head):
    from mlaface.engine.memory import measured_step
    if head.gpus > 1:
        raise ValueError('--measure runs one process: leave --gpus out')
    update = {**cfg.optim_wrapper['optimizer'], 'type': head.optimizer}
    if 'SGD' not in head.optimizer:
        update = {key: update[key] for key in ('type', 'lr', 'weight_decay') if key in update}
    else:
        update.setdefault('momentum', head.momentum)
    model = cfg.model.to_dict()
    model['head'].update(num_classes=head.classes, sample_rate=head.sample_rate, chunk_size=head.chunk_size)
    return measured_step(model, head.batch_size, update, _amp(cfg, args))


def _run(args):
    from mlaface.engine.config import load_config
    from mlaface.engine.memory import trunk_memory
    _positive(args)
    cfg = load_config(args.config)
    if not isinstance(cfg.model.get('head'), dict):
        raise ValueError(f'{args.config} has no model.head: there is nothing to train')
    if args.table:
        args.classes = args.classes or max(IDENTITIES)
    trunk = trunk_memory(cfg.model.to_dict(), _batch_size(cfg, args), _amp(cfg, args))
    head = _head_plan(cfg, args, trunk['embedding_size'])
    if args.table:
        rows = table_rows(trunk, head)
        show_table(rows)
        return dict(trunk=trunk, rows=rows)
    report = plan(trunk, head)
    report.update(head=asdict(head), trunk=trunk, alternatives=alternatives(trunk, head))
    _show(report, head, report['alternatives'])
    if args.measure:
        report['measured'] = _measure(cfg, args, head)
        print(f'measured on the CPU: {_gb(report["measured"]["peak"])} GB; planned / measured = '
              f'{report["peak"] / report["measured"]["peak"]:.3f}')
    return report


def main(argv=None):
    """Run the command line.

    Args:
        argv (list[str] | None): Arguments.

    Returns:
        int: 0.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    with explained(RuntimeError):  # --measure of what does not fit into memory
        report = _run(args)
        if args.json:
            Path(args.json).write_text(json.dumps(dict(schema=1, **report), indent=2) + '\n')
    return 0
