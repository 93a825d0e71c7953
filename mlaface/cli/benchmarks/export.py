"""Exported files, images/s and share of the processor's peak: torch, ONNX Runtime and OpenVINO, 32 to 8 bits.

The peak is that of one large product of matrices of the same type in torch, measured in the same run; weights are
random, which speed does not depend on.

Examples:
  python tools/analysis/benchmark.py export configs/arcface_mbf_ms1mv3.py
  python tools/analysis/benchmark.py export configs/arcface_r50_ms1mv3.py --batch-sizes 1 32 --compile --out export.json
"""
import tempfile
from pathlib import Path

from mlaface.cli.benchmarks import harness
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.device import choose_device
from mlaface.utils.packages import is_installed

FILES = {'ONNX Runtime float32': ('onnx', 'float32'), 'ONNX Runtime int8': ('onnx', 'int8'),
         'OpenVINO float32': ('openvino', 'float32'), 'OpenVINO bfloat16': ('openvino', 'bfloat16'),
         'OpenVINO int8': ('openvino', 'int8')}
CALIBRATED_ON, SIDE = 16, 2048


def parser():
    """The command line."""
    cli = command('benchmark export', __doc__)
    cli.add_argument('config', help='config file of a run or of a model')
    cli.add_argument('--batch-sizes', type=int, nargs='+', default=[1, 32], metavar='N', help='(default: 1 32)')
    cli.add_argument('--compile', action='store_true', help='measure torch.compile too, which takes a C++ compiler')
    cli.add_argument('--opset', type=int, default=17, help='of the files (default: 17)')
    cli.add_argument('--repeats', type=int, default=5, help='counted rounds (default: 5)')
    cli.add_argument('--threads', type=int, help='of torch, ONNX Runtime and OpenVINO (default: as torch finds)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


def torch_cases(model, compiled):
    """Functions of uint8 images by name: eager in float32 and bfloat16, and compiled."""
    import torch

    from mlaface.export.extractor import Extractor, Form
    networks = {f'torch {name}': Extractor(model, Form(), getattr(torch, name)) for name in ('float32', 'bfloat16')}
    if compiled:
        networks['torch float32, compiled'] = torch.compile(Extractor(model, Form()), dynamic=False)

    def run(network):
        def embed(images):
            with torch.inference_mode():
                network(torch.from_numpy(images))
        return embed
    return {name: run(network) for name, network in networks.items()}


def file_cases(model, folder, opset, threads):
    """Functions of uint8 images by name, each of an exported file; OpenVINO's only where it is installed."""
    from mlaface.export.extractor import Extractor, Form, metadata_of, noise
    from mlaface.registry import EXPORTERS
    found = {}
    for name, (format, precision) in FILES.items():
        if format == 'openvino' and not is_installed('openvino'):
            continue
        exporter = EXPORTERS.build(dict(type=format, opset=opset))
        extractor = Extractor(model, Form(), exporter.dtype(precision))
        path = Path(folder, f'{precision}{exporter.suffixes[0]}')
        program = exporter.convert(extractor, precision, noise(CALIBRATED_ON, extractor.size))
        exporter.save(program, path, metadata_of(extractor, precision))
        found[name] = (_onnx_runner if format == 'onnx' else _openvino_runner)(path, precision, threads)
    return found


def _onnx_runner(path, precision, threads):
    import onnxruntime

    from mlaface.export.exporters.onnx import INPUT
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # threads that spin after a run would take the processor from the case that is measured next
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda images: session.run(None, {INPUT: images})


def _openvino_runner(path, precision, threads):
    from mlaface.evaluation.networks.openvino_file import HINTS, core
    settings = {'INFERENCE_PRECISION_HINT': HINTS.get(precision, 'f32'), 'INFERENCE_NUM_THREADS': threads}
    return core().compile_model(str(path), 'CPU', settings)


def peak_cases():
    """A product of two square matrices of each type, and the operations of one."""
    import torch

    def product(first, second, multiply=torch.matmul):
        return lambda: multiply(first, second)
    whole = torch.randn(SIDE, SIDE)
    small = (whole * 10).to(torch.int8)
    return {'float32': product(whole, whole), 'bfloat16': product(whole.bfloat16(), whole.bfloat16()),
            'int8': product(small, small, torch._int_mm)}, 2 * SIDE ** 3


def main(argv=None):
    """Measure all cases in turn and print the table."""
    args = parser().parse_args(argv)
    import torch

    from mlaface.apis import init_model
    from mlaface.export.extractor import noise
    from mlaface.utils.flops import count_macs
    if args.threads:
        torch.set_num_threads(args.threads)
    model = init_model(None, args.config, choose_device('cpu'))
    with tempfile.TemporaryDirectory() as folder:
        runs = {**torch_cases(model, args.compile), **file_cases(model, folder, args.opset, torch.get_num_threads())}
        images = {size: noise(size, tuple(model.input_spec['size'])) for size in args.batch_sizes}
        peaks, of_product = peak_cases()
        cases = {f'{name}, batch {size}': (lambda run=run, batch=images[size]: run(batch))
                 for size in args.batch_sizes for name, run in runs.items()}
        seconds = harness.measure({**cases, **peaks}, args.repeats, warmup=2)
    show(seconds, runs, args, 2 * count_macs(model), of_product)


def show(seconds, runs, args, of_image, of_product):
    """The table: images/s of each case, ratios over float32 of the same kind, and shares of the peak of its type."""
    rows, ratios = [], {}
    for size in args.batch_sizes:
        for name in runs:
            spent = seconds[f'{name}, batch {size}']
            rows.append(harness.row(f'{name}, batch {size}', [size / s for s in spent], 'images/s'))
            precision = name.split()[-1] if name.split()[-1] in ('int8', 'bfloat16') else 'float32'
            base = seconds[f'{name.replace(precision, "float32")}, batch {size}']
            if precision != 'float32':
                ratios[f'{name} over float32, batch {size}'] = harness.paired_ratio(base, spent)
            share = [of_image * size / of_product * p / s for s, p in zip(spent, seconds[precision])]
            rows.append(harness.row(f'{name}, batch {size}, share of peak', share, ''))
    rows += [harness.row(f'peak, {name}', [of_product / s / 1e9 for s in seconds[name]], 'Gop/s')
             for name in ('float32', 'bfloat16', 'int8')]
    harness.show(harness.result('export', rows, ratios), args.out)
