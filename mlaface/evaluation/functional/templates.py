"""Templates (IJB-A, IJB-B, IJB-C): sets of images of one person, pooled to one embedding each.

Images of one medium (a still, or the frames of one video) are averaged first, then the media are added, so that a
long video does not outvote the stills (Whitelam et al. 2017; Crosswhite et al. 2016).
"""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.checks import check_matrix, check_norms, check_same_shape
from mlaface.evaluation.functional.roc import FAR_RULES
from mlaface.evaluation.functional.rows import FLIPS, fuse, lengths

CHOICES = dict(flip=FLIPS, norm=('l2', 'none'), quality=('none', 'detector'), far_rule=FAR_RULES)


@dataclass(frozen=True)
class TemplateRules:
    """What is done with the embeddings of a template's images.

    Args:
        flip (str): Image and mirror image are added (``'sum'``), joined (``'concat'``), or the image's is used alone.
        norm (str): ``'l2'`` gives every image one vote; ``'none'`` keeps the embedding's length as its weight.
        quality (str): ``'detector'`` multiplies each image by the detector's score.
        far_rule (str): ``'strict'`` or ``'nearest'``; see ``roc.tar_at_far``.

    The published IJB scripts of InsightFace run with ``flip='sum', norm='none', quality='detector',
    far_rule='nearest'``: that is ``TemplateRules.insightface()``.

    Raises:
        ValueError: If a choice is unknown; names those there are.
    """
    flip: str = 'sum'
    norm: str = 'l2'
    quality: str = 'none'
    far_rule: str = 'strict'

    def __post_init__(self):
        for key, choices in CHOICES.items():
            if getattr(self, key) not in choices:
                raise ValueError(f'{key} must be one of {choices}; got {getattr(self, key)!r}')

    @classmethod
    def insightface(cls):
        """The rules of the published IJB scripts."""
        return cls(flip='sum', norm='none', quality='detector', far_rule='nearest')


DEFAULT_RULES = TemplateRules()


class Templates(NamedTuple):
    """Pooled templates: ``ids`` (T,), rising, and ``embeddings`` (T, D), float64 of unit length."""
    ids: np.ndarray
    embeddings: np.ndarray

    def rows(self, ids, what='the list'):
        """Rows of templates by their ids.

        Raises:
            ValueError: If a template has no images; names it and where it was asked for.
        """
        ids = np.asarray(ids)
        places = np.searchsorted(self.ids, ids).clip(max=len(self.ids) - 1)
        missing = np.unique(ids[self.ids[places] != ids])
        if len(missing):
            raise ValueError(f'{what} names {len(missing)} templates without images, the first {missing[0]}: the list '
                             'and the embeddings are of different sets, or images were left out')
        return places


def pool_templates(embeddings, templates, media, *, flipped=None, quality=None, rules=DEFAULT_RULES, names=None,
                   block=8192):
    """One embedding for each template.

    Args:
        embeddings (array (N, D)): Of images, as the network makes them; any float type, a memory map too.
        templates (array (N,)): The image's template.
        media (array (N,)): The image's medium; media of different templates are apart even if their numbers agree.
        flipped (array (N, D) or None): Of the mirrored images; needed unless ``rules.flip`` is ``'none'``.
        quality (array (N,) or None): Detector scores; needed with ``rules.quality='detector'``.
        rules (TemplateRules): Flip, norm and quality.
        names (sequence of str (N,) or None): Names of images, for messages.
        block (int): Images in memory at a time, about (a template is never torn).

    Returns:
        Templates: The same bits for any block and any order of the images.

    Raises:
        ValueError: If counts do not fit, what the rules need is missing, or an embedding or a template is zero or not
            finite; names the image or the template.
    """
    embeddings, templates, media, flipped, quality = _check(embeddings, templates, media, flipped, quality, rules,
                                                            names)
    order = _canonical_order(embeddings, templates, media, flipped, quality, block)
    templates, media = templates[order], media[order]
    starts = np.append(np.flatnonzero(np.append(True, templates[1:] != templates[:-1])), len(order))
    width = embeddings.shape[1] * (2 if rules.flip == 'concat' else 1)
    pooled = np.empty((len(starts) - 1, width))
    first = 0
    while first < len(pooled):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + block, side='right')) - 1)
        rows = slice(starts[first], starts[last])
        images = _weighted(embeddings, flipped, quality, order[rows], rules, names)
        pooled[first:last] = _pool(images, templates[rows], media[rows])
        first = last
    ids = templates[starts[:-1]]
    norms = lengths(pooled)
    check_norms(norms, what='pooled template', names=[f'template {number}' for number in ids]
                if not norms.all() else None)
    return Templates(ids, pooled / norms[:, None])


def _check(embeddings, templates, media, flipped, quality, rules, names):
    """Inputs of the pooling as arrays that fit each other; those that the rules do not use as None."""
    embeddings = check_matrix(embeddings, names=names)
    templates, media = np.asarray(templates), np.asarray(media)
    given = dict(templates=templates, media=media)
    if rules.quality == 'detector':
        if quality is None:
            raise ValueError("quality='detector' needs the detector's scores; give them or choose quality='none'")
        given['quality'] = quality = np.asarray(quality, dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(quality) | (quality < 0)) if quality.ndim == 1 else []
        if len(bad):
            raise ValueError(f'the detector score of image {bad[0]} is {quality[bad[0]]}: it must be zero or more')
    for name, values in given.items():
        if values.shape != (len(embeddings),):
            raise ValueError(f'{name} must hold one value for each of the {len(embeddings)} images; got shape '
                             f'{values.shape}')
    if rules.flip != 'none':
        if flipped is None:
            raise ValueError(f"flip={rules.flip!r} needs the mirrored images' embeddings; give them or choose "
                             "flip='none'")
        flipped = check_matrix(flipped, 'flipped')
        check_same_shape(embeddings, flipped)
    return (embeddings, templates, media, flipped if rules.flip != 'none' else None,
            quality if rules.quality == 'detector' else None)


def _canonical_order(embeddings, templates, media, flipped, quality, block):
    """Order by template, medium and content, so that sums do not depend on how the images were listed."""
    weights = np.cos(np.arange(embeddings.shape[1]))
    content = np.empty(len(embeddings))
    for start in range(0, len(content), block):
        part = slice(start, start + block)
        np.einsum('ij,j->i', embeddings[part].astype(np.float64), weights, out=content[part])
    keys = [content, media, templates]
    order = np.lexsort(keys)
    equal = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in keys])
    if equal.any():  # equal images, nearly always: then the rest of their content decides
        tied = order[np.append(equal, False) | np.append(False, equal)]
        whole = [embeddings[tied], *([] if flipped is None else [flipped[tied]]),
                 *([] if quality is None else [quality[tied, None]])]
        rest = np.zeros(len(content), dtype=np.int64)
        rest[tied] = np.unique(np.concatenate(whole, axis=1), axis=0, return_inverse=True)[1].ravel()
        order = np.lexsort([rest, *keys])
    return order


def _weighted(embeddings, flipped, quality, rows, rules, names):
    """Embeddings of a block's images after flip, norm and quality, float64."""
    images = fuse(embeddings[rows], None if flipped is None else flipped[rows], rules.flip)
    norms = lengths(images)
    usable = np.isfinite(norms) & (norms > 0)
    if not usable.all():
        row = int(rows[~usable].min())
        check_norms(norms[rows == row], None if names is None else {row: names[row]}, row)
    if rules.norm == 'l2':
        images /= norms[:, None]
    if quality is not None:
        images *= quality[rows, None]
    return images


def _pool(images, templates, media):
    """Sum over media of the mean over a medium's images, for sorted rows."""
    new_template = np.append(True, templates[1:] != templates[:-1])
    starts = np.flatnonzero(new_template | np.append(True, media[1:] != media[:-1]))
    means = np.add.reduceat(images, starts, axis=0)
    means /= np.diff(np.append(starts, len(images)))[:, None]
    return np.add.reduceat(means, np.flatnonzero(new_template[starts]), axis=0)
