"""Embedding extraction, images/s: the bare network, ``extract`` with and without the mirror image, and ONNX Runtime.

Examples:
  python tools/analysis/benchmark.py infer configs/mla_r18w025_synthetic.py
  python tools/analysis/benchmark.py infer configs/arcface_r50_ms1mv3.py --onnx --batch-size 32 --out infer.json
"""
import tempfile
from pathlib import Path

from mlaface.cli.benchmarks import harness
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.device import choose_device


def parser():
    """The command line."""
    cli = command('benchmark infer', __doc__)
    cli.add_argument('config', help='config file of a run or of a model')
    cli.add_argument('--onnx', action='store_true', help='measure the exported file in ONNX Runtime too')
    cli.add_argument('--batch-size', type=int, default=64, help='images in a batch (default: 64)')
    cli.add_argument('--batches', type=int, default=4, help='batches in a round (default: 4)')
    cli.add_argument('--repeats', type=int, default=5, help='counted rounds (default: 5)')
    cli.add_argument('--threads', type=int, help='torch threads (default: as torch finds)')
    cli.add_argument('--device', default='cpu', help='device of the network (default: cpu)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


def network_cases(model, images, batches):
    """Callables by name: the bare network on normalised floats, ``extract`` on uint8, and with the mirror image."""
    import torch
    floats = model.preprocessor(images)
    device = floats.device

    def bare():
        with torch.no_grad():
            for _ in range(batches):
                model.embed(floats)
        finish(device)

    def extract(flip):
        for _ in range(batches):
            model.extract(images, flip)
        finish(device)

    return {'bare forward': bare, 'extract': lambda: extract('none'), 'extract, flip sum': lambda: extract('sum')}


def finish(device):
    """Wait for an accelerator's queue."""
    import torch
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def onnx_case(model, images, batches, threads):
    """Callable that runs the exported file (preprocessing inside) on the CPU."""
    import onnxruntime

    from mlaface.export.export import export_model
    from mlaface.export.exporters.onnx import INPUT
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.onnx'
        export_model(model, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # threads that spin after a run would take the processor from the case that is measured next
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=['CPUExecutionProvider'])
    array = images.numpy()

    def run():
        for _ in range(batches):
            session.run(None, {INPUT: array})
    return run


def main(argv=None):
    """Measure all cases in turn and print the table."""
    args = parser().parse_args(argv)
    import torch

    from mlaface.apis import init_model
    if args.threads:
        torch.set_num_threads(args.threads)
    model = init_model(None, args.config, choose_device(args.device))
    size = model.input_spec['size']
    images = torch.randint(0, 256, (args.batch_size, 3, *size), dtype=torch.uint8, generator=torch.manual_seed(0))
    cases = network_cases(model, images, args.batches)
    if args.onnx:
        cases['ONNX Runtime'] = onnx_case(model, images, args.batches, torch.get_num_threads())
    seconds = harness.measure(cases, args.repeats)
    count = args.batch_size * args.batches
    rows = [harness.row(name, [count / s for s in spent], 'images/s') for name, spent in seconds.items()]
    ratios = {f'time, {name} over bare forward': harness.paired_ratio(seconds[name], seconds['bare forward'])
              for name in cases if name != 'bare forward'}
    harness.show(harness.result('infer', rows, ratios), args.out)
