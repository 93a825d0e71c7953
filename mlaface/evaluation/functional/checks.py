"""Bad input to an evaluation: found before a number is computed, and named so that it can be mended."""
import numpy as np


def image_name(row, names=None):
    """How a message calls an image: its number, and its name where there is one."""
    return f'image {row}' if names is None else f'image {row} ({names[row]})'


def check_matrix(embeddings, what='embeddings', names=None):
    """Embeddings as a two-dimensional array of floating-point numbers, with one name a row.

    Args:
        embeddings (array (N, D)): float16, float32 or float64.
        what (str): How messages call the array.
        names (sequence of str (N,) or None): Names of the images.

    Returns:
        ndarray (N, D): The same numbers, not copied.

    Raises:
        ValueError: If the array has another shape or type, or the names another count.
    """
    embeddings = np.asanyarray(embeddings)
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise ValueError(f'{what} must be (images, dimensions), both above zero; got shape {embeddings.shape}')
    if not np.issubdtype(embeddings.dtype, np.floating):
        raise ValueError(f'{what} must be float16, float32 or float64; got {embeddings.dtype}')
    if names is not None and len(names) != len(embeddings):
        raise ValueError(f'{what} has {len(embeddings)} rows, but there are {len(names)} names of images')
    return embeddings


def check_same_shape(embeddings, flipped):
    """Refuse embeddings of mirrored images whose count or dimension is not that of the images.

    Raises:
        ValueError: If the shapes differ.
    """
    if embeddings.shape != flipped.shape:
        raise ValueError(f'embeddings are {embeddings.shape}, but those of the mirrored images {flipped.shape}: both '
                         'must come from the same images and the same network')


def check_norms(norms, names=None, start=0, what='embedding'):
    """Refuse embeddings without a direction: not finite, or zero.

    Args:
        norms (ndarray (N,)): Euclidean lengths; those of non-finite embeddings are not finite.
        names (sequence of str or None): Names of all images.
        start (int or ndarray (N,)): Number of the first image here among all, or of each.
        what (str): How messages call a row.

    Raises:
        ValueError: If a length is NaN, infinite or zero; names the first five images.
    """
    usable = np.isfinite(norms) & (norms > 0)
    if usable.all():
        return
    rows = np.flatnonzero(~usable)
    kind = 'zero' if norms[rows[0]] == 0 else 'not finite (NaN, infinite, or too large to square)'
    numbers = rows + start if np.ndim(start) == 0 else start[rows]
    listed = ', '.join(image_name(int(number), names) for number in numbers[:5])
    more = f' and {len(rows) - 5} more' if len(rows) > 5 else ''
    raise ValueError(f'the {what} of {listed}{more} is {kind}: no cosine is defined. Check the image and the network '
                     '(a float16 overflow gives the same), or take the image off the list')


def check_labels(issame, pairs=None, what='issame'):
    """Labels of pairs as booleans, with both kinds present.

    Args:
        issame (array (P,)): True or 1 for pairs of one person.
        pairs (int or None): How many are expected.
        what (str): How messages call the array.

    Returns:
        ndarray (P,): bool.

    Raises:
        ValueError: If it is not one-dimensional, holds other values than 0 and 1, has another count than the pairs,
            or lacks same or different pairs.
    """
    issame = np.asarray(issame)
    if issame.ndim != 1:
        raise ValueError(f'{what} must be one label a pair; got shape {issame.shape}')
    if issame.dtype != bool:
        if not np.isin(issame, (0, 1)).all():
            raise ValueError(f'{what} must hold booleans or 0 and 1')
        issame = issame.astype(bool)
    if pairs is not None and len(issame) != pairs:
        raise ValueError(f'{what} labels {len(issame)} pairs, but there are {pairs}')
    positives = int(issame.sum())
    if positives in (0, len(issame)):
        kind = 'same' if positives == 0 else 'different'
        raise ValueError(f'{what} holds no {kind} pairs among {len(issame)}: no rate can be computed')
    return issame


def check_images(embeddings, flipped=None, names=None):
    """Embeddings of a list of pairs and of the mirrored images, matched with each other.

    Args:
        embeddings (array (2P, D)): Rows 2i and 2i + 1 are pair i.
        flipped (array (2P, D) or None): Embeddings of the mirrored images.
        names (sequence of str (2P,) or None): Names of the images.

    Returns:
        tuple: embeddings, flipped, as arrays.

    Raises:
        ValueError: If counts, dimensions or types do not fit, or the number of images is odd.
    """
    embeddings = check_matrix(embeddings, names=names)
    if len(embeddings) % 2:
        raise ValueError(f'{len(embeddings)} embeddings are an odd number of images: pair i is rows 2i and 2i + 1, so '
                         'that an image is missing or one too many')
    if flipped is not None:
        flipped = check_matrix(flipped, 'flipped')
        check_same_shape(embeddings, flipped)
    return embeddings, flipped


def check_pairs(embeddings, issame, flipped=None, names=None):
    """``check_images``, and labels of the pairs.

    Args:
        embeddings (array (2P, D)): Rows 2i and 2i + 1 are pair i.
        issame (array (P,)): Labels.
        flipped (array (2P, D) or None): Embeddings of the mirrored images.
        names (sequence of str (2P,) or None): Names of the images.

    Returns:
        tuple: embeddings, bool issame, flipped.

    Raises:
        ValueError: If counts, dimensions or types do not fit.
    """
    embeddings, flipped = check_images(embeddings, flipped, names)
    return embeddings, check_labels(issame, len(embeddings) // 2), flipped


def check_gallery(gallery, dimension):
    """A gallery that can be read in slices, of the probes' dimension.

    Args:
        gallery (array (N, D)): An array or memory map; anything else with ``shape`` and slices is left as it is.
        dimension (int): D of the probes.

    Returns:
        array (N, D): The gallery, not copied if it is an array.

    Raises:
        ValueError: If its shape, type or dimension does not fit.
    """
    if isinstance(gallery, np.ndarray) or not hasattr(gallery, 'shape'):
        gallery = check_matrix(gallery, 'gallery')
    if gallery.shape[1] != dimension:
        raise ValueError(f'probes have {dimension} dimensions, the gallery {gallery.shape[1]}')
    return gallery


def check_scores(scores, issame):
    """Scores and labels of pairs, matched with each other.

    Args:
        scores (array (P,)): Higher means more alike.
        issame (array (P,)): Labels.

    Returns:
        tuple: scores, bool issame.

    Raises:
        ValueError: If counts do not fit or a score is not a number; names the first such pair.
    """
    scores = np.asarray(scores)
    if scores.ndim != 1:
        raise ValueError(f'scores must be one number a pair; got shape {scores.shape}')
    issame = check_labels(issame, len(scores))
    bad = np.flatnonzero(np.isnan(scores))
    if len(bad):
        raise ValueError(f'the score of pair {bad[0]} is not a number ({len(bad)} of {len(scores)} such)')
    return scores, issame


def check_far(far):
    """Refuse a target rate outside [0, 1].

    Raises:
        ValueError: If it is outside.
    """
    if not 0 <= far <= 1:
        raise ValueError(f'a false accept rate is a fraction in [0, 1], not {far}')


def count_repeated(pairs):
    """How many pairs were listed before, in either order.

    Args:
        pairs (int array (P, 2)): Not negative.

    Returns:
        int: P minus the number of different pairs.
    """
    low, high = np.min(pairs, axis=1).astype(np.int64), np.max(pairs, axis=1).astype(np.int64)
    keys = low * (high.max(initial=0) + 1) + high
    keys.sort()
    return int((keys[1:] == keys[:-1]).sum())
