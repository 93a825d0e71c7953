"""Which images sub-center ArcFace takes for noise (Deng et al., ECCV 2020, section 3.4)."""
from typing import NamedTuple

import torch
from torch.nn import functional


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
        ValueError: If the rows do not divide into classes, or a label has no class.
    """
    if len(weight) % k:
        raise ValueError(f'{len(weight)} rows are not classes of k={k} centres')
    centers = functional.normalize(weight, dim=1).unflatten(0, (-1, k))
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(centers):
        raise ValueError(f'labels {int(labels.min())} .. {int(labels.max())} do not fit {len(centers)} classes')
    cosine = torch.stack([functional.normalize(embeddings, dim=1).mul(centers[labels, number]).sum(1)
                          for number in range(k)], dim=1)
    nearest = cosine.argmax(1)
    votes = torch.zeros(len(centers) * k, device=weight.device).index_add_(
        0, labels * k + nearest, torch.ones(len(labels), device=weight.device))
    dominant = votes.view(-1, k).argmax(1)
    own = cosine.gather(1, dominant[labels][:, None])[:, 0]
    angle = torch.rad2deg(torch.acos(own.clamp(-1, 1)))
    return SubCenterReport(dominant, nearest, angle, (nearest != dominant[labels]) & (angle > max_angle))
