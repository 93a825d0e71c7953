"""Images per second of the training step, beside a bare torch loop with the same model, batch and optimizer.

Examples:
  python tools/analysis/benchmark.py train configs/mla_r18w025_synthetic.py
  python tools/analysis/benchmark.py train configs/mla_r18w025_synthetic.py --bare --batch-size 32 --out train.json
  python tools/analysis/benchmark.py train configs/mla_r50_ms1mv3.py --over configs/arcface_r50_ms1mv3.py
  python tools/analysis/benchmark.py train CONFIG --obvious --cfg-options optim_wrapper.amp=bfloat16
"""
import copy
import itertools
import tempfile
import time
from pathlib import Path

from mlaface.cli.benchmarks.harness import measure, paired_ratio, result, row, show
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.cfg_options import add_cfg_options
from mlaface.utils.sharding import row_shard


def parse(arguments):
    """Parse the command line."""
    parser = command('benchmark train', __doc__)
    parser.add_argument('config', help='config file; its data is not read')
    parser.add_argument('--bare', action='store_true', help='measure a bare torch loop in turn, and the ratio')
    parser.add_argument('--obvious', action='store_true', help="measure a bare loop with torch's own PReLU and "
                        'contiguous memory in turn, and what the tuned step gains')
    parser.add_argument('--over', nargs='+', default=[], metavar='CONFIG', help='other configs, whose runners make '
                        'steps in turn, and the ratio to each; --cfg-options are for all')
    parser.add_argument('--batch-size', type=int, help='images of a step (default: that of the config)')
    parser.add_argument('--num-classes', type=int, default=1000, help='classes of the head (default: 1000)')
    parser.add_argument('--steps', type=int, default=1, help='steps of one block (default: 1)')
    parser.add_argument('--repeats', type=int, default=30, help='blocks of each kind that count (default: 30)')
    parser.add_argument('--threads', type=int, help='torch threads (default: as torch chooses)')
    add_cfg_options(parser)
    parser.add_argument('--out', help='JSON file to write')
    return parser.parse_args(arguments)


class MemoryLoader:
    """Gives the same few batches for ever.

    Args:
        batch_size (int): Images of a batch. size (int): Their height and width. classes (int): Labels drawn from.
    """

    sampler, metainfo, drop_last = range(10 ** 6), {}, True

    def __init__(self, batch_size, size, classes):
        import torch
        generator = torch.Generator().manual_seed(0)
        self.batch_size, self.dataset = batch_size, self
        self.batches = [dict(images=torch.randint(0, 256, (batch_size, size, size, 3), dtype=torch.uint8,
                                                  generator=generator).permute(0, 3, 1, 2),
                             labels=torch.randint(0, classes, (batch_size,), generator=generator)) for _ in range(4)]

    def __len__(self):
        return len(self.sampler)

    def __iter__(self):
        return itertools.cycle(self.batches)


def make_runner(cfg, options, work_dir):
    """A runner over batches in memory, built and ready for its first step.

    Args:
        cfg (Config): A checked config.
        options (Namespace): ``batch_size``, ``num_classes``.
        work_dir (str): Folder for its log.

    Returns:
        FaceRunner: With loop, optimizer and schedules.
    """
    from mlaface.registry import RUNNERS
    cfg.model.head.num_classes = options.num_classes
    batch_size = options.batch_size or cfg.train_dataloader.batch_size
    cfg.work_dir, cfg.randomness, cfg.log_level = work_dir, dict(seed=0), 'WARNING'
    for key in ('val_dataloader', 'val_evaluator', 'val_cfg', 'load_from'):
        cfg[key] = None
    cfg.resume = False
    cfg.train_cfg = dict(type='FaceTrainLoop', max_iters=10 ** 6)
    runner = RUNNERS.get(cfg.get('runner_type', 'FaceRunner')).from_cfg(cfg)
    size = getattr(runner.bare_model, 'input_spec', dict(size=[112, 112]))['size'][0]
    runner._train_dataloader = MemoryLoader(batch_size, size, options.num_classes)
    runner.prepare_training()
    runner.call_hook('before_train')
    runner.call_hook('before_train_epoch')
    return runner


def runner_block(runner, batches, steps):
    """A callable that makes ``steps`` steps as the runner does and returns the seconds."""
    def block():
        start = time.perf_counter()
        for _ in range(steps):
            runner.train_loop.step(batches)
        _wait()
        return time.perf_counter() - start
    return block


def bare_block(runner, steps, obvious=False):
    """A callable that makes ``steps`` steps with plain torch and returns the seconds; see ``_make_obvious``."""
    import torch
    wrapper = runner.optim_wrapper
    model, batches = _twin(runner.bare_model), iter(runner.train_dataloader)
    if obvious:
        _make_obvious(model)
    optimizer = _same_optimizer(wrapper.optimizer, runner.bare_model, model)
    device = next(model.parameters()).device

    def block():
        start = time.perf_counter()
        for batch in itertools.islice(batches, steps):
            with torch.autocast(device.type, getattr(torch, wrapper.amp or 'bfloat16'), enabled=bool(wrapper.amp)):
                loss = model(batch['images'].to(device), batch['labels'].to(device), mode='loss')['loss']
            loss.backward()
            if wrapper.max_norm:
                torch.nn.utils.clip_grad_norm_(model.parameters(), wrapper.max_norm)
            optimizer.step()
            optimizer.zero_grad()
        _wait()
        return time.perf_counter() - start
    return block


def _twin(model):
    """A deep copy with the marks of row-sharded tensors, which a copy of a tensor loses."""
    twin = copy.deepcopy(model).train()
    for source, target in ((model.parameters(), twin.parameters()), (model.buffers(), twin.buffers())):
        for tensor, other in zip(source, target):
            if row_shard(tensor) is not None:
                other.row_shard = tensor.row_shard
    return twin


def _make_obvious(model):
    """Undo what makes a step fast and changes no result: channels-last memory and work by blocks."""
    import torch
    model.to(memory_format=torch.contiguous_format)
    model.preprocessor.channels_last = False
    for module in model.modules():
        if hasattr(module, 'blockwise'):
            module.blockwise = False


def _same_optimizer(optimizer, model, twin):
    """The same optimizer over the same groups of a copied model."""
    own = dict(zip(map(id, model.parameters()), twin.parameters()))
    groups = [{**{key: value for key, value in group.items() if key != 'params'},
               'params': [own[id(parameter)] for parameter in group['params']]} for group in optimizer.param_groups]
    return type(optimizer)(groups, lr=groups[0]['lr'])


def _wait():
    """Let an accelerator finish."""
    import torch
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main(arguments):
    """Measure and show.

    Args:
        arguments (list[str]): The command line.

    Returns:
        dict: Benchmark JSON.
    """
    options = parse(arguments)
    import torch

    from mlaface.engine.config import load_config
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        runner = make_runner(load_config(options.config, options.cfg_options), options, folder)
        runner.model.train()
        cases = dict(runner=runner_block(runner, iter(runner.train_dataloader), options.steps))
        if options.bare:
            cases['bare torch loop'] = bare_block(runner, options.steps)
        if options.obvious:
            cases['obvious bare loop'] = bare_block(runner, options.steps, obvious=True)
        for number, config in enumerate(options.over):
            other = make_runner(load_config(config, options.cfg_options), options, f'{folder}/{number}')
            other.model.train()
            cases[Path(config).stem] = runner_block(other, iter(other.train_dataloader), options.steps)
        seconds = measure(cases, options.repeats)
        images = options.steps * runner.train_dataloader.batch_size
    rows = [row(name, [images / spent for spent in times], 'images/s') for name, times in seconds.items()]
    ratios = {f'runner over {name} (time)': paired_ratio(seconds['runner'], times)
              for name, times in seconds.items() if name != 'runner'}
    report = result('train', rows, ratios)
    show(report, options.out)
    return report
