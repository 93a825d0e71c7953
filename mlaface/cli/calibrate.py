"""``calibrate``: cosine thresholds for target false accept rates, written as JSON to be kept beside a model."""
from pathlib import Path

import numpy as np

from mlaface.cli.parts.arguments import command, count, written_file
from mlaface.cli.parts.errors import explained
from mlaface.evaluation.results.thresholds import SCHEMA, check_owner, thresholds_path, write_thresholds
from mlaface.version import __version__

EPILOG = """INPUT is an .npz file with either
  scores (P,), issame (P,)            cosines of pairs, or
  embeddings (2P, D), issame (P,)     pair i = rows 2i and 2i + 1; optionally flipped (2P, D)
and optionally subjects (P,) or (P, 2), the people in each pair, for intervals over people. Several files are taken
together: one threshold that holds for the pairs of all, whose people are different ones.

examples:
  python tools/test.py work_dirs/mla/best.pth --sets data/dev.bin --save-embeddings dev.npz
  python tools/analysis/calibrate.py dev.npz --far 1e-2 1e-3 --model work_dirs/mla/best.pth
  python tools/analysis/calibrate.py lfw.npz agedb.npz --far 1e-3 --model work_dirs/mla/best.pth
  python tools/analysis/calibrate.py scores.npz --far 1e-4 --confidence 0.9 --out thresholds.json
  python tools/analysis/calibrate.py embeddings.npz --flip none --model mla.pth --out elsewhere.json"""


def parser():
    """The command line."""
    cli = command('calibrate', __doc__, EPILOG)
    cli.add_argument('inputs', nargs='+', metavar='INPUT', help='.npz files of scores or embeddings')
    cli.add_argument('--far', nargs='+', type=float, default=[1e-2, 1e-3], metavar='RATE',
                     help='target false accept rates, fractions (default: 1e-2 1e-3)')
    cli.add_argument('--flip', choices=('none', 'sum', 'concat'), default='sum',
                     help='what is done with mirrored embeddings, if the file has them (default: sum)')
    cli.add_argument('--confidence', type=float, default=0.95, help='of the intervals (default: 0.95)')
    cli.add_argument('--resamples', type=count, default=1000, help='draws of the bootstrap (default: 1000)')
    cli.add_argument('--seed', type=int, default=0, help='of the bootstrap (default: 0)')
    cli.add_argument('--model', metavar='FILE', help='the model that the scores come from, a file or a name of '
                     'the zoo: its SHA-256 is recorded')
    cli.add_argument('--out', type=written_file, metavar='JSON',
                     help='file to write (default: MODEL.thresholds.json beside the model)')
    return cli


def read_scores(path, flip='sum'):
    """Cosines, labels and people of an ``.npz`` file.

    Args:
        path (str): File with ``scores`` or ``embeddings``, and ``issame``.
        flip (str): What is done with ``flipped`` embeddings.

    Returns:
        tuple: scores (P,), issame (P,), subjects or None, and the flip that was done or None for given scores.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such archive; names the file and the key that is missing.
    """
    from mlaface.evaluation.embeddings.saved import read_arrays
    from mlaface.evaluation.functional.checks import check_pairs
    from mlaface.evaluation.functional.pairs import PairRules, pair_scores
    arrays = read_arrays(path)
    if 'issame' not in arrays or not {'scores', 'embeddings'} & arrays.keys():
        held = ', '.join(list(arrays)[:8]) or 'nothing'
        raise ValueError(f'{path} holds {held}; issame and either scores or embeddings are needed')
    subjects = arrays.get('subjects')
    if 'scores' in arrays:
        if arrays['scores'].dtype.kind not in 'iuf':
            raise ValueError(f'{path}: scores are {arrays["scores"].dtype}; they must be numbers')
        if np.abs(arrays['scores']).max(initial=0) > 1.001:
            raise ValueError(f'{path}: scores reach {np.abs(arrays["scores"]).max():g}; they must be cosines, -1 to 1')
        return arrays['scores'], arrays['issame'], subjects, None
    names = arrays.get('names')
    embeddings, issame, flipped = check_pairs(arrays['embeddings'], arrays['issame'], arrays.get('flipped'), names)
    flip = 'none' if flipped is None else flip
    cosine = pair_scores(embeddings, flipped=flipped, rules=PairRules(flip=flip), names=names).cosine
    return cosine, issame, subjects, flip


def read_all(paths, flip='sum'):
    """``read_scores`` of several files, one behind the other; people of two files are different ones.

    Raises:
        ValueError: If one file is named twice, or mirror images are joined in some files only.
    """
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise ValueError(f'a file is named twice: {", ".join(map(str, paths))}')
    scores, issame, subjects, flips = zip(*(read_scores(path, flip) for path in paths))
    if len(set(flips)) > 1:
        each = ', '.join(f'{path}: {done or "not known"}' for path, done in zip(paths, flips))
        raise ValueError(f'the files differ in what was done with mirrored images ({each}): see --flip')
    known = None
    if all(people is not None for people in subjects):
        pairs = [people if people.ndim == 2 else np.stack([people, people], 1) for people in map(np.asarray, subjects)]
        known = np.concatenate([np.char.add(f'{number}/', people.astype(str)) for number, people in enumerate(pairs)])
    return np.concatenate(scores), np.concatenate(issame), known, flips[0]


def calibrate(arguments):
    """Compute the thresholds that the arguments ask for and write them.

    Args:
        arguments (argparse.Namespace): From ``parser``.

    Returns:
        dict: What was written: schema 1 with ``metric``, ``flip``, ``thresholds`` and how they were made.
    """
    from mlaface.evaluation.functional.calibration import calibrate_thresholds
    from mlaface.evaluation.results.result import file_sha256
    from mlaface.zoo.locate import find_model
    model, out = arguments.model, arguments.out
    if model is not None and not Path(model).is_file():
        model = find_model(model)
        if not Path(model).is_file():
            raise FileNotFoundError(f'no model at {model}: --model is the file that the scores come from')
    if out is None and model is None:
        raise ValueError('where to? Give --model FILE to write beside the model, or --out JSON')
    if out is None:
        check_owner(thresholds_path(model), model)
    scores, issame, subjects, flip = read_all(arguments.inputs, arguments.flip)
    made = calibrate_thresholds(scores, issame, arguments.far, subjects=subjects, resamples=arguments.resamples,
                                confidence=arguments.confidence, seed=arguments.seed)
    described = dict(file=Path(model).name, sha256=file_sha256(model)) if model is not None else None
    report = dict(schema=SCHEMA, mlaface=__version__, model=described,
                  inputs=[Path(path).name for path in arguments.inputs], flip=flip, **made)
    arguments.out = out if out is not None else thresholds_path(model)
    write_thresholds(report, arguments.out)
    return report


def show(report):
    """Print the thresholds as a table, and what to doubt about them."""
    print(f'{"FAR":>8}  {"cosine >=":>9}  {"interval":>16}  {"TAR":>6}  {"interval":>16}  false accepts')
    for name, row in report['thresholds'].items():
        threshold, tar = row['threshold'], row['tar']
        print(f'{name:>8}  {threshold["value"]:9.4f}  {threshold["low"]:7.4f}..{threshold["high"]:7.4f}  '
              f'{tar["value"]:6.4f}  {tar["low"]:7.4f}..{tar["high"]:7.4f}  {row["false_accepts"]}')
    for name, row in report['thresholds'].items():
        if not row['resolved']:
            print(f'warning: {report["counts"]["negatives"]} different pairs cannot resolve a FAR of {name}: the '
                  'threshold lies where no false accept was seen')
    if report['bootstrap']['unit'] == 'pairs':
        print('note: no subjects in the file: pairs were resampled, which makes intervals too narrow where a person '
              'is in several pairs')


def main(argv=None):
    """Run the command; returns the exit status."""
    arguments = parser().parse_args(argv)
    with explained():
        show(calibrate(arguments))
    print(f'written: {arguments.out}')
    return 0
