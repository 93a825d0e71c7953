"""The threshold that decides with a model: given, kept beside its file, shipped for that very file, carried in it."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.results.thresholds import read_report, read_thresholds, thresholds_path
from mlaface.utils.errors import InputError, UserError

SHIPPED = Path(__file__).with_name('calibrated')


def find_thresholds(described, carried=None):
    """The calibrated thresholds of a model.

    Args:
        described (dict): What ``Network.describe`` gives: ``file`` and ``sha256``.
        carried (dict or None): Thresholds that the model's file carries; those that lie beside it stand above them.

    Returns:
        tuple: The report as ``results.thresholds`` reads it, or None; and the reason why there is none, or None.
    """
    file, sha256 = described.get('file'), described.get('sha256')
    own = file is not None and thresholds_path(file).is_file()
    for path in sorted(SHIPPED.glob('*.json')) if sha256 and not own else ():
        report = read_report(path)
        if report['model']['sha256'] == sha256:
            return report, None
    if carried is not None and not own:
        return carried, None
    if file is None or not Path(file).is_file():
        return None, f'{described.get("name") or "the model"} is no file, beside which thresholds could lie'
    try:
        return read_thresholds(file), None
    except (UserError, OSError, ValueError) as error:
        return None, str(error)


def threshold_at(report, far, flip):
    """The threshold of a report for a false accept rate.

    Args:
        report (dict): From ``find_thresholds``.
        far (float): The rate.
        flip (str): What is done with mirror images here.

    Returns:
        dict: ``threshold`` (cosine), ``far`` (that was asked for), ``source`` (what it was calibrated on).

    Raises:
        InputError: If the rate is none of the report's, or it was made with mirror images joined in another way.
    """
    row = next((row for row in report['thresholds'].values() if abs(row['far'] - far) <= 1e-9), None)
    if row is None:
        known = ', '.join(report['thresholds'])
        raise InputError(f'no threshold was calibrated for a false accept rate of {far:g}; there are those of {known}')
    if report.get('flip') not in (None, flip):
        raise InputError(f'the thresholds hold for mirror images joined by {report["flip"]!r}, here it is {flip!r}')
    return dict(threshold=row['threshold']['value'], far=row['far'], source=', '.join(report.get('inputs') or ()))


def shares_below(report, cosine, flip):
    """The shares of a calibration's pairs whose cosine is lower: what a percentage of likeness can honestly mean.

    Args:
        report (dict or None): From ``find_thresholds``.
        cosine (float): Of a pair.
        flip (str): What is done with mirror images here.

    Returns:
        dict or None: ``different`` and ``same``, floats in [0, 1], straight within the bins that the report keeps; None
        where it keeps none, or was made with mirror images joined in another way.
    """
    spread = (report or {}).get('scores')
    if not spread or report.get('flip') not in (None, flip):
        return None
    found = {}
    for name in ('different', 'same'):
        reached = np.cumsum([0, *spread[name]])
        found[name] = float(np.interp(cosine, spread['edges'], reached / max(reached[-1], 1e-9)))
    return found
