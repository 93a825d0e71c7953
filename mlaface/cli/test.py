"""``tools/test.py``: any model on any benchmark, by stated rules; numbers on screen, as JSON and as a report."""
import argparse

from mlaface.cli.errors import explained

EXAMPLES = """examples:
  python tools/test.py configs/mla_mbf_synthetic.py work_dirs/mla_mbf_synthetic/best.pth
  python tools/test.py best.pth --sets data/lfw.bin data/agedb_30.bin --out result.json --report report
  python tools/test.py w600k_r50.onnx --data-root data --color RGB --mean 127.5 --std 127.5
  python tools/test.py my_package.faces:embed --sets data/lfw.bin --color BGR
  python tools/test.py best.pth --sets data/lfw.bin --against other.onnx --bootstrap 1000
  python tools/test.py best.pth --protocol ijbc --data-root data/IJBC --compat insightface
  python tools/test.py --embeddings lfw.npz --flip sum
"""
PROTOCOLS = ('lfw', 'cfp', 'agedb', 'calfw', 'cplfw', 'xqlfw', 'rfw', 'ijbb', 'ijbc', 'tinyface', 'megaface')


def make_parser():
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog='test.py', description='Evaluate a face model by stated rules.',
                                     epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('paths', nargs='*', metavar='[CONFIG] MODEL', help='checkpoint .pth, .onnx, TorchScript, or '
                        'module:function; a config before it names the data and the network, and may name the model: '
                        "network = dict(model='module:function', color='BGR')")
    _add_data(parser.add_argument_group('what is evaluated (default: the validation sets of the config)'))
    _add_rules(parser.add_argument_group('rules (default: those of the protocol, strict)'))
    _add_input(parser.add_argument_group('images of a foreign model (default: what the file says, else RGB, 127.5)'))
    _add_output(parser.add_argument_group('output'))
    _add_run(parser.add_argument_group('run'))
    return parser


def count(text, least=1):
    """An argument that is a whole number of at least ``least``."""
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f'must be at least {least}, got {text}')
    return number


def count_from_zero(text):
    """``count`` from 0 on."""
    return count(text, 0)


def _add_data(group):
    group.add_argument('--sets', nargs='+', metavar='BIN', help='verification sets (.bin)')
    group.add_argument('--data-root', metavar='DIR', help='folder of .bin files, or of the protocol')
    group.add_argument('--protocol', choices=PROTOCOLS, help='official lists with image folders in --data-root')
    group.add_argument('--embeddings', metavar='NPZ', help='precomputed: embeddings (2P, D), issame (P,), [flipped, '
                       'names, subjects, groups]')


def _add_rules(group):
    group.add_argument('--flip', choices=('none', 'sum', 'concat'), help='image and mirror image')
    group.add_argument('--norm', choices=('l2', 'none'), help='of an embedding, after flip')
    group.add_argument('--distance', choices=('squared_l2', 'cosine'), help='of pairs')
    group.add_argument('--quality', choices=('none', 'detector'), help='weight of a template\'s images')
    group.add_argument('--far-rule', choices=('strict', 'nearest'), help='how TAR at FAR is read off')
    group.add_argument('--compat', choices=('insightface', 'tinyface'), help='reproduce the public '
                       'code\'s numbers (tinyface: of that protocol; insightface: of all others)')
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
    group.add_argument('--out', metavar='FILE', help='result JSON')
    group.add_argument('--report', metavar='DIR', help='one HTML file, its figures as PNG and CSV')
    group.add_argument('--show-hardest', type=count_from_zero, default=8, metavar='N',
                       help='pairs of each kind (default 8)')
    group.add_argument('--save-embeddings', metavar='NPZ', help='for --embeddings later; one pairs benchmark')


def _add_run(group):
    group.add_argument('--against', nargs='+', default=[], metavar='MODEL', help='other models, or configs that name '
                       'one with its colours: each compared with the first on the same benchmarks, in one report')
    group.add_argument('--device', default='auto', help='cpu, cuda, cuda:1 (default: a GPU if there is one)')
    group.add_argument('--search', choices=('auto', 'blocks', 'faiss'), help='of 1:N; the numbers are the same '
                       '(default: FAISS, if installed, where one matrix product would not hold the scores)')
    group.add_argument('--batch-size', type=count, default=64, metavar='N')
    group.add_argument('--workers', type=count_from_zero, default=1, metavar='N', help='threads that read images')
    group.add_argument('--launcher', choices=('none', 'pytorch', 'slurm'), default='none')


def main(argv=None):
    """Evaluate as the arguments say.

    Args:
        argv (list[str] or None): Arguments; None takes the process's.
    """
    args = make_parser().parse_args(argv)
    from mlaface.cli.evaluate import run
    with explained():
        run(args)


if __name__ == '__main__':
    main()
