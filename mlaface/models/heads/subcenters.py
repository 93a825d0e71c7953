"""Which images sub-center ArcFace takes for noise (Deng et al., ECCV 2020, section 3.4)."""
from typing import NamedTuple

import torch
from torch.nn import functional

BLOCK = 1 << 14  # images whose centres are gathered at once


class SubCenterReport(NamedTuple):
    """What ``find_outliers`` gives: per class the dominant centre, per image its centre, angle and verdict."""
    dominant: torch.Tensor
    center: torch.Tensor
    angle: torch.Tensor
    outlier: torch.Tensor


@torch.no_grad()
def find_outliers(embeddings, labels, weight, k, max_angle=75.0):
    """Find images that attach to another than the dominant centre of their class, far from that one.

    The dominant centre of a class is the one to which most of its images are nearest (the first of several equal
    ones; centre 0 of a class without images).

    Args:
        embeddings (Tensor): Of all images, (N, D), any norm.
        labels (Tensor): Their classes, int64 (N,).
        weight (Tensor): Centres, (C * k, D), a class's rows adjacent.
        k (int): Centres a class.
        max_angle (float): Degrees to the dominant centre beyond which an image is dropped. Default: 75.

    Returns:
        SubCenterReport: ``dominant`` int64 (C,), ``center`` int64 (N,) nearest centre of the class, ``angle`` float
        (N,) in degrees to the dominant centre, ``outlier`` bool (N,).

    Raises:
        ValueError: If the rows do not divide into classes, a label has no class, or an embedding is not finite.
    """
    if len(weight) % k:
        raise ValueError(f'{len(weight)} rows are not classes of k={k} centres')
    centers = functional.normalize(weight, dim=1).unflatten(0, (-1, k))
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(centers):
        raise ValueError(f'labels {int(labels.min())} .. {int(labels.max())} do not fit {len(centers)} classes')
    cosine = torch.cat([_own_cosines(*part, centers) for part in zip(embeddings.split(BLOCK), labels.split(BLOCK))])
    if not cosine.isfinite().all():
        raise ValueError(f'embedding {int(cosine.isfinite().all(1).logical_not().nonzero()[0])} is not finite')
    nearest = cosine.argmax(1)
    dominant = torch.bincount(labels * k + nearest, minlength=len(centers) * k).view(-1, k).argmax(1)
    own = cosine.gather(1, dominant[labels][:, None])[:, 0]
    angle = torch.rad2deg(torch.acos(own.clamp(-1, 1)))
    return SubCenterReport(dominant, nearest, angle, (nearest != dominant[labels]) & (angle > max_angle))


def _own_cosines(embeddings, labels, centers):
    """Cosines to each centre of the own class, (N, k)."""
    unit = functional.normalize(embeddings.to(centers.dtype), dim=1)
    return torch.einsum('nd,nkd->nk', unit, centers[labels])
