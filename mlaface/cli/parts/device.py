"""Where a command runs its network."""


def choose_device(name='auto'):
    """The device to run on: as named, or a GPU if there is one."""
    if name != 'auto':
        return name
    import torch
    return 'cuda' if torch.cuda.is_available() else 'cpu'
