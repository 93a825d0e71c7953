"""``tools/test.py``: any model on any benchmark, by stated rules; numbers on screen, as JSON and as a report."""
import sys

from mlaface.cli.parts.arguments import command, count, count_from_zero, written_file, written_folder
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.imports import add_imports, import_early
from mlaface.cli.parts.protocol_options import LIST, add_protocol_options, list_protocols
from mlaface.utils.configs import config_of_file, find_config

EXAMPLES = """examples:
  python tools/test.py configs/mla_mbf_synthetic.py work_dirs/mla_mbf_synthetic/best.pth
  python tools/test.py best.pth --sets data/lfw.bin data/agedb_30.bin --out result.json --report report
  python tools/test.py w600k_r50.onnx --data-root data --color RGB --mean 127.5 --std 127.5
  python tools/test.py my_package.faces:embed --sets data/lfw.bin --color BGR
  python tools/test.py best.pth --sets data/lfw.bin --against other.onnx --bootstrap 1000
  python tools/test.py --protocol                      what protocols there are
  python tools/test.py best.pth --protocol ijbc --data-root data/IJBC --compat insightface
  python tools/test.py --embeddings lfw.npz --flip sum
"""


def make_parser():
    """The command's arguments."""
    parser = command('test', 'Evaluate a face model by stated rules.', EXAMPLES)
    parser.add_argument('paths', nargs='*', metavar='[CONFIG] MODEL', help='checkpoint .pth, .onnx, TorchScript, or '
                        'module:function; a config before it names the data and the network, and may name the model: '
                        "network = dict(model='module:function', color='BGR')")
    _add_data(parser.add_argument_group('what is evaluated (default: the validation sets of the config)'))
    _add_rules(parser.add_argument_group('rules, and the protocols that take them (default: strict)'))
    _add_input(parser.add_argument_group('images of a foreign model (default: what the file says, else RGB, 127.5)'))
    _add_output(parser.add_argument_group('output'))
    _add_run(parser.add_argument_group('run'))
    return parser


def _add_data(group):
    group.add_argument('--sets', nargs='+', metavar='BIN', help='verification sets (.bin), or addresses of some')
    group.add_argument('--data-root', metavar='DIR', help='folder of .bin files, or of the protocol')
    group.add_argument('--protocol', nargs='?', const=LIST, metavar='NAME', help='official lists with image folders in '
                       '--data-root; without NAME: list what is registered')
    group.add_argument('--embeddings', metavar='NPZ', help='precomputed: embeddings (2P, D), issame (P,), [flipped, '
                       'names, subjects, groups]')


def _add_rules(group):
    add_protocol_options(group)
    group.add_argument('--bootstrap', type=count_from_zero, metavar='N',
                       help='resamples for 95%% intervals (default: none)')
    group.add_argument('--seed', type=int, help='of the resampling (default 0)')


def _add_input(group):
    group.add_argument('--color', choices=('RGB', 'BGR'))
    group.add_argument('--mean', type=float, nargs='+', metavar='X', help='one number or three')
    group.add_argument('--std', type=float, nargs='+', metavar='X', help='one number or three')
    group.add_argument('--size', type=count, nargs=2, metavar=('H', 'W'))
    group.add_argument('--layout', choices=('NCHW', 'NHWC'))
    group.add_argument('--check-input', choices=('sample', 'all', 'off'), default='sample',
                       help='try swapped colour channels and warn if they do better (default: on 400 pairs)')


def _add_output(group):
    group.add_argument('--out', type=written_file, metavar='FILE', help='result JSON')
    group.add_argument('--report', type=written_folder, metavar='DIR',
                       help='one HTML file, its figures as PNG and CSV')
    group.add_argument('--show-hardest', type=count_from_zero, default=8, metavar='N',
                       help='pairs of each kind (default 8)')
    group.add_argument('--save-embeddings', type=written_file, metavar='NPZ',
                       help='for --embeddings later; one pairs benchmark')


def _add_run(group):
    group.add_argument('--against', nargs='+', default=[], metavar='MODEL', help='other models, or configs that name '
                       'one with its colours: each compared with the first on the same benchmarks, in one report')
    group.add_argument('--device', default='auto', help='cpu, cuda, cuda:1 (default: a GPU if there is one)')
    group.add_argument('--batch-size', type=count, default=64, metavar='N')
    group.add_argument('--workers', type=count_from_zero, default=1, metavar='N', help='threads that read images')
    add_imports(group)
    group.add_argument('--launcher', choices=('none', 'pytorch', 'slurm'), default='none')


def import_plugins(argv):
    """Import what ``--import`` and the ``custom_imports`` of a config name: their protocols are known then."""
    import_early(argv)
    config = next((text for text in argv if text.endswith('.py')), None)
    if config is not None and find_config(config).is_file():
        config_of_file(config)


def main(argv=None):
    """Evaluate as the arguments say.

    Args:
        argv (list[str] or None): Arguments; None takes the process's.
    """
    argv = sys.argv[1:] if argv is None else argv
    with explained():
        import_plugins(argv)
        args = make_parser().parse_args(argv)
        if args.protocol == LIST:
            print(list_protocols())
            return
        from mlaface.cli.parts.evaluation import run
        run(args)


if __name__ == '__main__':
    main()
