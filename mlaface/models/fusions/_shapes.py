"""What fusions check of the maps that they are given."""
from mlaface.utils.errors import InputError


def check_same_shape(trunk, branch, axes=slice(None)):
    """Refuse a branch's map that does not lie on the trunk's.

    Args:
        trunk (Tensor): Map of the backbone.
        branch (Tensor): Map of the branch.
        axes (slice): Axes that must agree. Default all.

    Raises:
        InputError: If they differ.
    """
    if trunk.shape[axes] != branch.shape[axes]:
        raise InputError(f'trunk {tuple(trunk.shape)} and branch {tuple(branch.shape)} differ: the branch must '
                         'have the channels of the backbone, and patches that give its height and width')
