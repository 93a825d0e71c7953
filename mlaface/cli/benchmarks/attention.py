"""What each attention plugin costs in each backbone: parameters, multiply-accumulates, time of a training step.

A step is forward and backward of the network without a head. The processor's time is counted, so that others on the
machine change little; networks with and without attention are measured in turn, and a ratio is the median over rounds.
Backbones that take no attention are named.

Examples:
  python tools/analysis/benchmark.py attention --table attention.md
  python tools/analysis/benchmark.py attention --backbones IResNet --stages 3 4 --attention timm.gc NonLocal
  python tools/analysis/benchmark.py attention --attention "dict(type='mmcv.ContextBlock', ratio=0.0625)"
"""
import time
from pathlib import Path

from mlaface.cli.benchmarks.harness import measure, paired_ratio, result, row, show
from mlaface.cli.parts.arguments import command
from mlaface.registry import ATTENTION, MODELS, parameters_of
from mlaface.utils.literals import literal
from mlaface.utils.memory import keep_freed_memory

PLAIN = 'without attention'


def parse(arguments):
    """Parse the command line."""
    parser = command('benchmark attention', __doc__)
    parser.add_argument('--backbones', nargs='+', metavar='NAME', help='backbones (default: all)')
    parser.add_argument('--attention', nargs='+', metavar='NAME | DICT',
                        help='plugins, by name or as a config (default: all of ours)')
    parser.add_argument('--stages', nargs='+', type=int, help='stages with attention (default: all)')
    parser.add_argument('--batch-size', type=int, default=16, help='images of a step (default: %(default)s; with one '
                        'thread and fewer, torch takes a slow 1x1 convolution)')
    parser.add_argument('--channels-last', action='store_true', help='maps in that memory, as recipes for CPU')
    parser.add_argument('--repeats', type=int, default=5, help='rounds that count (default: 5)')
    parser.add_argument('--width', type=float, help='width of the backbones (default: their own)')
    parser.add_argument('--size', type=int, help='pixels of the images (default: those of the backbones)')
    parser.add_argument('--threads', type=int, help='torch threads (default: as torch chooses)')
    parser.add_argument('--table', help='Markdown file to write')
    parser.add_argument('--out', help='JSON file to write')
    return parser.parse_args(arguments)


def backbones():
    """Names of the registered backbones that are built without being told more (list of str)."""
    found = {name: kind for name, kind in MODELS.classes().items() if '.models.backbones.' in kind.__module__}
    return [name for name, kind in found.items() if not name.endswith('.*')
            and all(p.default is not p.empty for p in (parameters_of(kind) or {}).values())]


def attentions():
    """Names of the attention plugins of ours (list of str)."""
    return [name for name in ATTENTION.names() if not name.endswith('.*')]


def takes_attention(backbone):
    """Whether a backbone, by name, has an argument ``attention`` (bool)."""
    return 'attention' in (parameters_of(MODELS.get(backbone)) or {})


def network(backbone, attention=None, recognizer=None, **options):
    """A recognizer of one backbone with one attention plugin, and a neck that fits.

    Args:
        backbone (str): Its name.
        attention (dict, optional): Config of the plugin.
        recognizer (dict, optional): What the recognizer takes besides.
        **options: Of the backbone; those that it does not take are left out, but for ``attention``.

    Returns:
        FaceRecognizer: Without a head, unless one is in ``recognizer``.

    Raises:
        ArgumentError: If the backbone takes no attention.
    """
    import torch
    known = parameters_of(MODELS.get(backbone)) or {}
    trunk = dict(type=backbone, **{name: value for name, value in options.items() if name in known})
    with torch.device('meta'):
        made = MODELS.build({name: value for name, value in trunk.items() if name != 'attention_stages'})
    if attention is not None:
        trunk['attention'] = attention
    neck = dict(type='EmbeddingNeck', in_channels=made.out_channels, in_size=made.out_size, embedding_size=512)
    return MODELS.build(dict(type='FaceRecognizer', backbone=trunk, neck=neck, **(recognizer or {})))


def train_step(model, images):
    """Forward and backward of embeddings that are drawn to the same length (Tensor (), the loss)."""
    model.zero_grad(set_to_none=True)
    loss = (model(images).square().mean() - 1).square()
    loss.backward()
    return loss


def read_attention(text):
    """A config of a plugin, of its name or of ``dict(type=...)`` as text (dict)."""
    if not text.startswith(('dict(', '{')):
        return dict(type=text)
    import ast
    return literal(ast.parse(text, mode='eval').body)


def costs(backbone, plugins, options, repeats=5, batch_size=16, recognizer=None):
    """Parameters, MACs and times of one backbone with each plugin.

    Args:
        backbone (str): Its name.
        plugins (dict[str, dict | None]): Label to config; None for no attention.
        options (dict): Of the backbone.
        repeats (int): Rounds that count. Default 5.
        batch_size (int): Images of a step. Default 16.
        recognizer (dict, optional): What the recognizer takes besides.

    Returns:
        dict[str, dict]: Label to ``parameters``, ``macs`` of one image, processor ``seconds`` of each
            round.
    """
    import torch

    from mlaface.utils.flops import count_macs
    plain = {name: value for name, value in options.items() if name != 'attention_stages'}
    models = {label: network(backbone, config, recognizer, **(options if config else plain))
              for label, config in plugins.items()}
    size = next(iter(models.values())).input_spec['size']
    images = torch.randint(0, 256, (batch_size, 3, *size), dtype=torch.uint8, generator=torch.manual_seed(0))
    found = {label: dict(parameters=sum(p.numel() for p in model.parameters()), macs=count_macs(model))
             for label, model in models.items()}

    def step(model):
        def case():
            start = time.process_time()
            train_step(model, images)
            model.zero_grad(set_to_none=True)
            return time.process_time() - start
        return case
    seconds = measure({label: step(model.train()) for label, model in models.items()}, repeats)
    return {label: dict(found[label], seconds=seconds[label]) for label in models}


def table(found):
    """Markdown of what ``costs`` gave for each backbone; a backbone without attention is a line (str)."""
    lines = []
    for backbone, rows in found.items():
        if rows is None:
            lines += [f'{backbone} takes no attention.', '']
            continue
        plain = rows[PLAIN]
        lines += [f'| {backbone} | parameters | MACs of an image | time of a step |', '|---|---|---|---|',
                  f'| {PLAIN} | {plain["parameters"]:,} | {plain["macs"] / 1e6:,.1f} M | 1 |']
        lines += [f'| {label} | +{entry["parameters"] - plain["parameters"]:,} '
                  f'| +{(entry["macs"] - plain["macs"]) / 1e6:,.1f} M '
                  f'| {paired_ratio(entry["seconds"], plain["seconds"]):.2f} |'
                  for label, entry in rows.items() if label != PLAIN]
        lines.append('')
    return '\n'.join(lines)


def main(arguments):
    """Measure and show.

    Args:
        arguments (list[str]): The command line.

    Returns:
        dict: Benchmark JSON.
    """
    options = parse(arguments)
    import torch
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()
    plugins = {PLAIN: None, **{text: read_attention(text) for text in options.attention or attentions()}}
    given = dict(attention_stages=options.stages, width=options.width, in_size=options.size)
    given = {name: value for name, value in given.items() if value is not None}
    found = {name: costs(name, plugins, given, options.repeats, options.batch_size,
                         dict(channels_last=options.channels_last)) if takes_attention(name) else None
             for name in options.backbones or backbones()}
    rows, ratios = [], {}
    for name, entries in found.items():
        for label, entry in (entries or {}).items():
            case = f'{name}, {label}'
            rows += [row(f'{case}: step', [1000 * each for each in entry['seconds']], 'ms'),
                     row(f'{case}: parameters', [entry['parameters']], ''), row(f'{case}: MACs', [entry['macs']], '')]
            if label != PLAIN:
                ratios[f'{case} over {PLAIN} (time)'] = paired_ratio(entry['seconds'], entries[PLAIN]['seconds'])
    report = result('attention', rows, ratios)
    show(report, options.out)
    if options.table:
        Path(options.table).write_text(table(found))
    return report
