"""The state of all random number generators of a process, as plain values and tensors."""
import random

import numpy as np
import torch


def random_state():
    """The states of Python, NumPy, torch and this process's accelerator.

    Returns:
        dict: Lists and tensors; readable with ``weights_only=True``.
    """
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    state = dict(python=[version, list(words), gauss],
                 numpy=[kind, torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(cached)],
                 torch=torch.get_rng_state())
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state):
    """Restore ``random_state()``; an accelerator's state is used where there is one."""
    version, words, gauss = state['python']
    random.setstate((version, tuple(words), gauss))
    kind, keys, position, has_gauss, cached = state['numpy']
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())
