"""What the commands that look at photographs share: model, detector, progress, images that cannot be read."""
import re
import sys
from pathlib import Path

from mlaface.cli.parts.arguments import cosine, count, count_from_zero, rate, share
from mlaface.cli.parts.imports import add_imports
from mlaface.utils.errors import InputError
from mlaface.utils.imports import import_modules
from mlaface.utils.packages import import_optional
from mlaface.utils.texts import one_line


def add_detector(parser, workers=True):
    """Which detector, and how it works; without ``--workers`` where a command has its own."""
    group = parser.add_argument_group('faces')
    group.add_argument('--detector', default='yunet', metavar='NAME', help='a registered detector, or a config that '
                       "has detector = dict(type='...') (default: yunet)")
    group.add_argument('--min-score', type=share, default=None, metavar='X', help='least score of a face (default: as '
                       'the detector has it)')
    if workers:
        group.add_argument('--workers', type=count_from_zero, default=2, metavar='N', help='threads that read, detect '
                           'and align ahead (default: 2)')
    add_where(group)


def add_where(group):
    """Where the network runs, and plugins to import."""
    group.add_argument('--device', default='auto', help='cpu, cuda, cuda:1 (default: a GPU if there is one)')
    add_imports(group)


def add_model(parser, named=True):
    """Which network; without ``--model`` and ``--flip`` where it is named otherwise and taken as it is."""
    group = parser.add_argument_group('network')
    if named:
        group.add_argument('--model', default='sface', metavar='FILE', help='checkpoint, ONNX or TorchScript file, '
                           'module:function, or sface (default)')
        group.add_argument('--flip', choices=('none', 'sum', 'concat'), help='join each face with its mirror image '
                           "(default: as the model's thresholds were calibrated)")
    group.add_argument('--config', metavar='FILE', help='config of the network, for a checkpoint without one')
    group.add_argument('--color', choices=('RGB', 'BGR'), help='of a foreign model')
    group.add_argument('--mean', type=float, nargs='+', metavar='X', help='of a foreign model: one number or three')
    group.add_argument('--std', type=float, nargs='+', metavar='X', help='of a foreign model: one number or three')
    group.add_argument('--batch-size', type=count, default=32, metavar='N', help='faces of a forward pass '
                       '(default: 32)')


def add_aligned(parser):
    """Whether faces are to be found first."""
    parser.add_argument('--aligned', action='store_true', help='the images are aligned faces: nothing is detected')


def add_threshold(parser, does):
    """By which cosine it is decided; ``does`` (str) is what is done by it."""
    parser.add_argument('--far', type=rate, default=1e-3, metavar='RATE', help=f'{does} by the threshold that was '
                        'calibrated for this false accept rate of pairs (default: 1e-3)')
    parser.add_argument('--threshold', type=cosine, metavar='COSINE', help=f'{does} by this cosine')


def open_detector(args):
    """The detector that the arguments name."""
    from mlaface.apis.inference import build_detector
    import_modules(args.imports)
    return build_detector(detector_settings(args), _device(args))


def detector_settings(args):
    """The detector that the arguments name, as a config (dict)."""
    return _stated(args.detector) | ({} if args.min_score is None else dict(score=args.min_score))


def detector_of(name, device='cpu', **settings):
    """A detector by its registered name, or by a config (str) that states it; ``settings`` are its arguments."""
    from mlaface.apis.inference import build_detector
    return build_detector(_stated(name) | settings, device)


def open_inferencer(args, detector=True, **settings):
    """A ``FaceInferencer`` as the arguments say; without a detector where images are aligned."""
    from mlaface.apis import FaceInferencer
    import_modules(args.imports)
    found = open_detector(args) if detector else None
    return FaceInferencer(args.model, found, _device(args), _options(args), args.config, batch_size=args.batch_size,
                          workers=args.workers, flip=args.flip, **settings)


def open_model(args):
    """The network alone that the arguments name, for images that are aligned faces."""
    from mlaface.apis.networks import open_network
    import_modules(args.imports)
    return open_network(args.model, args.config, _device(args), _options(args))


def _options(args):
    """Fields of ``InputFormat`` that the user gave (dict), or None."""
    return {key: value if key == 'color' else tuple(value) for key in ('color', 'mean', 'std')
            if (value := getattr(args, key)) is not None} or None


def _device(args):
    """Where the network runs; what an ONNX file needs is known without torch, which takes seconds to import."""
    model = getattr(args, 'model', 'sface')
    if model != 'sface' and not model.endswith('.onnx'):
        from mlaface.cli.parts.device import choose_device
        return choose_device(args.device)
    onnxruntime = import_optional('onnxruntime', f'the model {model}')
    on_gpu = 'CUDAExecutionProvider' in onnxruntime.get_available_providers()
    if args.device == 'auto':
        return 'cuda' if on_gpu else 'cpu'
    if args.device != 'cpu' and not (on_gpu and re.fullmatch(r'cuda(:\d+)?', args.device)):
        raise InputError(f'--device {args.device} cannot be used: this ONNX Runtime has '
                         + ('cpu, cuda and cuda:N' if on_gpu else 'cpu alone; for GPUs install onnxruntime-gpu'))
    return args.device


def _stated(config):
    if not config.endswith('.py'):
        return dict(type=config)
    from mlaface.utils.configs import config_of_file
    detector = config_of_file(config).get('detector')
    if detector is None:
        raise InputError(f"{config} names no detector: it needs detector = dict(type='...')")
    return dict(detector)


class Skipped:
    """Images that could not be read: told on stderr as they come, and counted.

    Attributes:
        count (int): How many.
        names (set[str]): Which; images are read ahead, so that the one at hand need not be the last that was told of.
    """

    def __init__(self):
        self.count, self.names = 0, set()

    def __call__(self, name, error):
        """Tell of an image (str) and what is wrong with it."""
        self.count += 1
        self.names.add(name)
        print(one_line(f'skipped: {error}'), file=sys.stderr)

    def faceless(self, found):
        """Pairs of image and faces as they come; images without a face are told of on stderr, and not counted."""
        for name, faces in found:
            if not faces and name not in self.names:
                print(one_line(f'note: no face in {name}'), file=sys.stderr)
            yield name, faces


def sources_of(paths):
    """What the user named; a whole number is a camera."""
    return [int(path) if path.isdigit() and not Path(path).exists() else path for path in paths]
