"""``mlaface doctor``: why a network's numbers are not those that it should have."""
import json
import sys

from mlaface.cli.parts.arguments import command, count
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.inference import add_model, add_where, detector_of, open_model
from mlaface.cli.parts.progress import bar
from mlaface.utils.errors import MissingPackageError

EPILOG = """SET is what mlaface data opens: a .bin of pairs, a folder of identities, records, ... of aligned faces.
Tried are normalisations in both orders of colours, then closer and wider cuts with the best of them; a way is called
better only where chance does not explain it. What was tried is shown as SEPARATION: how many standard deviations
the cosines of same pairs lie above those of different ones.

exit status: 0 all is well, 1 something is wrong (it is said what), 2 an error

examples:
  mlaface doctor w600k_r50.onnx lfw.bin
  mlaface doctor foreign.onnx faces/ --pairs 400         # a folder of identities
  mlaface doctor best.pth lfw.bin --json"""

VERDICTS = {'fits': 'all is well: no other way of making its images is better by more than chance',
            'other images': 'it wants other images', 'ill': 'its embeddings are at fault',
            'blind': 'it tells nobody apart'}


def make_parser():
    """The command's arguments."""
    parser = command('doctor', 'Find what ails a network: its images, their alignment, or the file itself.', EPILOG)
    parser.add_argument('model', help='checkpoint, published model, ONNX, TorchScript, module:function, a name of the '
                        'zoo')
    parser.add_argument('set', help='pairs, or identities, of aligned faces')
    parser.add_argument('--pairs', type=count, default=150, metavar='N', help='pairs that are tried (default: 150)')
    parser.add_argument('--seed', type=int, default=0, help='of the pairs drawn from identities (default: 0)')
    parser.add_argument('--json', action='store_true', help='one line of JSON')
    add_model(parser, named=False)
    add_where(parser)
    return parser


def main(argv=None):
    """Diagnose as the arguments say; returns the exit status; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained(status=2):
        found, missing = _diagnose(args)
    if args.json:
        print(json.dumps(found.record()))
    else:
        show(found, missing)
    return int(found.verdict != 'fits' or found.misaligned)


def _diagnose(args):
    from mlaface.cli.parts.sample import draw_sample
    from mlaface.evaluation.doctor.diagnosis import diagnose
    from mlaface.evaluation.doctor.trials import Trials
    network = open_model(args)
    sample = draw_sample(args.set, args.pairs, args.seed)
    alignment, missing = _alignment(sample)
    with bar('trying', (1 + Trials.most) * len(sample.images)) as advance:
        return diagnose(network, sample, args.batch_size, advance, alignment), missing


def _alignment(sample, images=40):
    """Where the faces of some images are, and what a check needs that is not installed."""
    from mlaface.inference.alignment_check import check_alignment
    step = max(1, len(sample.images) // images)
    try:
        return check_alignment(detector_of('yunet'), sample.images[::step][:images]), None
    except MissingPackageError as error:
        return None, str(error)


def show(found, missing):
    """Print a diagnosis: what there is, a table of the trials, and the verdict."""
    from rich.console import Console
    trials, sample = found.trials, found.trials.sample
    made = trials.stated.options() if trials.format is not None else f'{trials.stated.color}, as its file states'
    print(f'network    {found.network.path}: images of {"x".join(map(str, found.network.size))}, {made}; '
          f'{found.facts["dimensions"]} numbers{_lengths(found.facts["lengths"])}')
    print(f'pairs      {len(sample.issame)}, {sample.issame.sum()} of one person, {len(sample.images)} images')
    print(f'alignment  {_aligned(found.alignment, missing)}\n')
    console = Console(highlight=False)
    console.print(table(found))
    console.print(f'\nverdict    [bold]{VERDICTS[found.verdict]}', soft_wrap=True)
    for line in found.advice():
        print(f'           {line}')


def table(found):
    """The trials, in the order in which they were made."""
    from rich.table import Table

    from mlaface.evaluation.doctor.trials import separation
    trials, issame = found.trials, found.trials.sample.issame
    shown = Table('', 'colours', 'range', 'shown', 'AUC', 'apart', 'gain', 'same', 'other', box=None,
                  padding=(0, 1, 0, 0))
    for trial in trials.made:
        mark = 'now' if trial is trials.stated else 'better' if trial is found.wanted else ''
        how = mark, trial.color, _range(trial), trial.cut.name
        if trial.scores is None:
            shown.add_row(*how, 'failed')
            continue
        gain = trials.gain(trial) if trial is not trials.stated else None
        shown.add_row(*how, f'{trials.auc(trial):.4f}', f'{float(separation(trial.scores, issame)):.2f}',
                      '' if gain is None else f'{gain[0]:+.2f} ± {gain[1]:.2f}',
                      f'{trial.scores[issame].mean():.2f}', f'{trial.scores[~issame].mean():.2f}')
    return shown


def _range(trial):
    """What a trial makes of 0 to 255, by its name in the field where it has one."""
    from mlaface.evaluation.doctor.trials import NORMALISATIONS, in_order
    if trial.mean is None:
        return 'its own'
    names = (name for name, values in NORMALISATIONS.items()
             if tuple(in_order(part, trial.color) for part in values) == (trial.mean, trial.std))
    return next(names, ' / '.join(' '.join(f'{value:.4g}' for value in part) for part in (trial.mean, trial.std)))


def _lengths(lengths):
    if lengths is None:
        return ''
    least, most = lengths
    return f' of length {least:.3g}' if most - least < 1e-3 * most else f' of length {least:.3g} to {most:.3g}'


def _aligned(check, missing):
    if check is None:
        return f'not looked at: {missing}'
    if not check.known:
        return f'not known: a face was found in {check.found} of {check.images} images'
    word = 'as ArcFace\'s template' if check.aligned else 'not as ArcFace\'s template'
    return (f'{word}: the five points are {check.off:.1f} of 112 pixels off in the median, of {check.found} faces; '
            f'magnified by {check.closer:.2f} they would fit best')


if __name__ == '__main__':
    sys.exit(main())
