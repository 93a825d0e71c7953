"""Batches that training cannot use, found before it begins."""
import warnings
from contextlib import suppress
from copy import copy

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.modules.batchnorm import _BatchNorm

from mlaface.engine.distributed import gather_objects, world_size
from mlaface.engine.errors import ConfigError
from mlaface.engine.memory import build_trunk


def smallest_batch(dataloader, accumulate=1):
    """Images of the smallest batch that a rank takes in an epoch.

    Args:
        dataloader (DataLoader): Of this rank; its sampler stands at the start of an epoch.
        accumulate (int): Batches of one update; an update that is not full is left out.

    Returns:
        int: Images.
    """
    size, images = dataloader.batch_size, len(dataloader.sampler)
    last = 0 if dataloader.drop_last else images % size
    return last if last and len(dataloader) % accumulate == 0 else size


def lonely_norm(model):
    """The first BatchNorm that has one value a channel where a batch is one image; torch refuses that in training.

    The trunk is built anew in training mode, as its config says, from tensors without data, and one image is sent
    through; norms that the config freezes are none of it.

    Args:
        model (dict): Config of the recognizer.

    Returns:
        str or None: Its name and type; None also of a network that cannot run without data.
    """
    found = []

    def look(name, module, inputs):
        if (module.training or module.running_mean is None) and inputs[0].numel() == inputs[0].shape[1]:
            found.append(f'{name} ({type(module).__name__})')

    with suppress(Exception), FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        trunk = build_trunk(model)
        for name, module in trunk.named_modules():
            if isinstance(module, _BatchNorm):
                module.register_forward_pre_hook(lambda module, inputs, name=name: look(name, module, inputs))
        trunk(torch.zeros(1, 3, *trunk.input_spec['size'], dtype=torch.uint8), mode='tensor')
    return found[0] if found else None


def check_batches(dataloader, accumulate, cfg):
    """Refuse a loader that leaves a rank with no image, or with one where a BatchNorm takes a mean over it.

    Args:
        dataloader (DataLoader): Of this rank.
        accumulate (int): Batches of one update.
        cfg (Config): The run's; ``model`` and ``sync_bn`` are read.

    Raises:
        ConfigError: On all ranks alike; says which batch, which layer, and what to change.
    """
    if dataloader.batch_size is None:
        return
    batches, smallest = zip(*gather_objects((len(dataloader), smallest_batch(dataloader, accumulate))))
    rest = (f'train_dataloader: {len(dataloader.dataset)} images do not fill the last batch of {dataloader.batch_size} '
            f'on each of {world_size()} ranks')
    remedy = 'Set train_dataloader.sampler.drop_last=True, or another train_dataloader.batch_size'
    if len(set(batches)) > 1:
        raise ConfigError(f'{rest}, and leave a rank without any. {remedy}')
    if min(smallest) > 1 or cfg.get('sync_bn') and world_size() > 1:
        return
    norm = lonely_norm(cfg['model']) if isinstance(cfg.get('model'), dict) else None
    if norm is not None and dataloader.batch_size > 1:
        raise ConfigError(f'{rest}, and leave a rank with one, over which {norm} can take no mean. {remedy}')
    if norm is not None:
        raise ConfigError('train_dataloader.batch_size=1: a rank has one image at a time, over which '
                          f'{norm} can take no mean. Set train_dataloader.batch_size to 2 or more; docs/training.md '
                          'says what else saves memory')


def batches_without_pairs(dataloader, batches=50):
    """Of the first global batches of an epoch the share that has no two images of one person.

    Args:
        dataloader (DataLoader): Of this rank; nothing is read from it.
        batches (int): How many are looked at, at most.

    Returns:
        float or None: None where sampler or data set do not say what is in them.
    """
    labels, sampler = getattr(dataloader.dataset, 'labels', None), dataloader.sampler
    if labels is None or not hasattr(sampler, 'order'):
        return None
    size = dataloader.batch_size * world_size()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # what a hook has yet to tell the sampler
        order = np.asarray(copy(sampler).order())[:batches * size]
    labels = np.asarray(labels)
    groups = [labels[order[start:start + size]] for start in range(0, len(order) - size + 1, size)]
    return float(np.mean([len(np.unique(group)) == len(group) for group in groups])) if groups else None
