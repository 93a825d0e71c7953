"""From the images of a batch to one tensor."""
import numpy as np
import torch
from mmengine.registry import FUNCTIONS


@FUNCTIONS.register_module()
def collate_images(batch):
    """Put samples into one batch.

    Args:
        batch (list[dict] | dict): Samples with ``images`` uint8 (3, H, W) and integers (``labels``, ``index``), or
            a batch already, as ``dataset.__getitems__`` gives it.

    Returns:
        dict: ``images`` uint8 (N, 3, H, W), and the integers as int64 (N,).

    Raises:
        ValueError: If the images differ in size.
    """
    if isinstance(batch, dict):
        return {key: _as_tensor(value) for key, value in batch.items()}
    shapes = {tuple(sample['images'].shape) for sample in batch}
    if len(shapes) > 1:
        raise ValueError(f'images of one batch have different sizes: {sorted(shapes)}')
    images = torch.stack([torch.as_tensor(sample['images']) for sample in batch])
    return dict(images=images, **{key: torch.tensor([int(sample[key]) for sample in batch])
                                  for key in batch[0] if key != 'images'})


def _as_tensor(value):
    if isinstance(value, np.ndarray) or torch.is_tensor(value):
        return torch.as_tensor(value)
    return torch.tensor(value)
