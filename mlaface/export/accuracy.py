"""What fewer bits cost: the benchmarks' numbers of a file beside those of its network in float32."""
import numpy as np

from mlaface.evaluation.evaluate import evaluate
from mlaface.utils.errors import InputError


def measure_loss(reference, network, suite, precision, limit, progress=None):
    """Evaluate both, and refuse too large a loss.

    Args:
        reference (Network): float32.
        network (Network): The file.
        suite (Suite): Benchmarks.
        precision (str): Of the file.
        limit (float): Largest loss of a benchmark's headline number, a fraction.
        progress (callable, optional): Called with the number of images of each batch.

    Returns:
        dict: ``float32`` and ``precision``: headline number by benchmark; ``largest_loss``, ``limit``; ``cosine``: mean
        and least cosine of an image's two embeddings.

    Raises:
        InputError: If a benchmark loses more than ``limit``; names it with both numbers.
    """
    first, second = (evaluate(one, suite, progress=progress) for one in (reference, network))
    before, after = _headlines(first), _headlines(second)
    losses = {name: before[name] - after[name] for name in before}
    worst = max(losses, key=losses.get)
    if not losses[worst] <= limit:
        raise InputError(f'{precision} lowers {worst} from {before[worst]:.4f} to {after[worst]:.4f}, by more than '
                         f'{limit:g}: the file was not written. Calibrate on more faces, or allow it by --max-loss')
    cosine = _cosine(first.embeddings, second.embeddings)
    return {'float32': before, precision: after, 'largest_loss': losses[worst], 'limit': limit,
            'cosine': dict(mean=float(cosine.mean()), least=float(cosine.min()))}


def _headlines(evaluation):
    return {name: float(value) for name, value in evaluation.summary().items() if not name.startswith('mean_')}


def _cosine(first, second):
    return (first * second).sum(1) / (np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))
