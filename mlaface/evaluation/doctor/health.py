"""What is wrong with a network's embeddings whatever its images are like."""
import numpy as np

from mlaface.evaluation.functional.rows import lengths

NEAR = 1e-2  # of an embedding's length; float16 and quantised files differ by less between batches
MANY = 4096  # numbers of an embedding; networks of the field give 128 to 2048


def check_health(network, images):
    """Look at the embeddings of a few images.

    Args:
        network (Network): Of any kind.
        images (ndarray uint8 (N, 3, H, W)): Of its size, two at least, of different faces.

    Returns:
        tuple[list[str], dict]: What is wrong, each with its remedy; ``dimensions``, ``lengths`` of the embeddings
        (least, most), None where they are not finite, and ``remarks`` (list[str]) on what may be as it should.
    """
    together = np.float64(network.embed(images))
    size, found = lengths(together), []
    if not np.isfinite(together).all():
        return ['it gives numbers that are not finite: of a float16 file, try float32; else see the range of its '
                'images'], dict(dimensions=together.shape[1], lengths=None, remarks=[])
    scale = max(size.max(), 1e-12)
    if _differ(network.embed(images), together, scale):
        found.append('it gives other numbers for the same images the second time: dropout is on. Export it in '
                     'evaluation mode (model.eval())')
    elif _differ(np.concatenate([network.embed(images[row:row + 1]) for row in range(len(images))]), together, scale):
        found.append('an embedding depends on the other images of its batch: batch norm is in training mode. Export it '
                     'in evaluation mode (model.eval())')
    if size.min() <= 1e-6 * scale:
        found.append('it gives zero for some images')
    elif (_cosines(together, size) > 0.9999).all():
        found.append('it gives nearly the same for all images: see the range of its images, and whether its weights '
                     'were loaded')
    remarks = _remarks(together)
    if remarks and np.allclose(together.sum(1), 1, atol=1e-3) and together.shape[1] > 1:
        found.append('its numbers are none below zero and add up to 1: they are probabilities of classes. Cut the file '
                     'before its classifier')
        remarks = []
    return found, dict(dimensions=together.shape[1], lengths=[float(size.min()), float(size.max())], remarks=remarks)


def _differ(again, before, scale):
    return np.abs(again - before).max() > NEAR * scale


def _cosines(embeddings, size):
    unit = embeddings / size[:, None]
    return (unit @ unit.T)[np.triu_indices(len(unit), 1)]


def _remarks(embeddings):
    """What embeddings rarely are."""
    found, count = [], embeddings.shape[1]
    if (embeddings >= 0).all():
        found.append('none of its numbers is below zero: it ends with a ReLU or so, and cosines of different people '
                     'are high. The output before it may be the embedding')
    if count > MANY:
        found.append(f'it gives {count:,} numbers, more than embeddings have: are they scores of classes?')
    return found
