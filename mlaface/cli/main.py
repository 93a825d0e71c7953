"""``mlaface COMMAND ...``: every script of ``tools/`` by its name, from anywhere the package is installed."""
import sys
from importlib import import_module

from mlaface.version import __version__

COMMANDS = {
    'train': 'train what a config describes',
    'test': 'evaluate any model on face benchmarks, by stated rules',
    'doctor': 'why the numbers of a network are too low: its images, alignment, or file',
    'calibrate': 'cosine thresholds for target false accept rates',
    'compare-runs': 'training runs side by side: convergence and final numbers',
    'study': 'a question to training runs: a plan, its runs, their statistics, a page',
    'detect': 'faces in photographs: boxes, points, scores',
    'align': 'photographs to aligned faces, as training and networks want them',
    'embed': 'photographs or aligned faces to embeddings',
    'compare': 'two photographs: the same person?',
    'cluster': 'the faces of a folder by person',
    'enroll': 'keep people in a gallery by their faces',
    'identify': 'name the faces in photographs by a gallery',
    'gallery': 'look after a gallery: list, verify, delete, export ...',
    'serve': 'all of these over HTTP, and a page: compare, enrol, identify in a browser',
    'benchmark': 'speed and memory, as ratios measured in one run',
    'plan-memory': 'what a training step needs on each rank, before it is run',
    'attention': 'where a network looks: gates, weights, self-attention, Grad-CAM, as a page',
    'flops': 'what a network costs, by its parts: parameters, MACs, activations, time',
    'print-config': 'a config with all it inherits',
    'list-plugins': 'what is registered, with its arguments',
    'make-synthetic': 'draw the built-in faces: training set and benchmarks',
    'browse-dataset': 'a picture of training images, as they are and as they are augmented',
    'data': 'data sets: pack, unpack, convert, verify, inspect ...',
    'inspect-set': 'data inspect, by its older name',
    'verify-records': 'data verify, by its older name',
    'centers': 'class centres as one file, and onto other identities',
    'export': 'a checkpoint as ONNX, TorchScript, torch.export or OpenVINO, in 32, 16 or 8 bits',
    'to-onnx': 'export as ONNX, by its older name',
    'publish': 'a checkpoint as one file to pass on, with its card; or on a hub',
    'models': 'the models that can be opened by name, with licences and accuracies',
    'download': 'fetch a model of the index or a hub, checked by its hash',
    'mxnet': "InsightFace's first models, of MXNet, for mlaface, or back",
    'published': 'weights of the published networks for mlaface, or back',
}
HEAD = f"""mlaface {__version__}: face recognition as a config

usage: mlaface COMMAND [--help | options]"""
EXAMPLES = """examples:
  mlaface make-synthetic
  mlaface train configs/mla_r18w025_synthetic.py
  mlaface test work_dirs/mla_r18w025_synthetic/best.pth --report report"""


def dispatch(package, commands, argv, head, examples):
    """Hand the arguments to the command that the first one names; its module is imported only then.

    Args:
        package (str): Where a module is for each command, of its name with underscores for hyphens.
        commands (dict[str, str]): What each command does, by name.
        argv (list[str]): The command's name and its arguments.
        head (str): First lines of the help.
        examples (str): Last lines of the help.

    Returns:
        object: What the command's ``main(argv)`` returns.

    Raises:
        SystemExit: For help, and for a name that is no command's; says the nearest.
    """
    name = argv[0] if argv else None
    if name in commands:
        return import_module(f'{package}.{name.replace("-", "_")}').main(argv[1:])
    if name is None or name in ('-h', '--help'):
        width = max(map(len, commands)) + 2
        print('\n'.join([head, '', *(f'  {key:{width}}{what}' for key, what in commands.items()), '', examples]))
        sys.exit(0 if argv else 2)
    from mlaface.registry import did_you_mean
    hint = did_you_mean(name, commands)
    print(f'error: no command {name!r}{hint} There are: {", ".join(commands)}.', file=sys.stderr)
    sys.exit(2)


def main(argv=None):
    """Run the command line; an exit status for ``sys.exit``; ``argv`` (list[str]) is by default the process's."""
    called, argv = argv is not None, sys.argv[1:] if argv is None else argv
    if argv[:1] == ['--version']:
        print(f'mlaface {__version__}')
        return 0
    try:
        status = dispatch('mlaface.cli', COMMANDS, argv, HEAD, EXAMPLES)
    except KeyboardInterrupt:
        if called:
            raise
        print('stopped', file=sys.stderr)
        return 130
    return status if isinstance(status, int) else 0


if __name__ == '__main__':
    sys.exit(main())
