"""Where a command runs its network."""
from mlaface.utils.errors import InputError
from mlaface.utils.memory import keep_freed_memory


def choose_device(name='auto'):
    """The device to run on: as named, or a GPU if there is one; ``InputError`` if there is none of the name."""
    import torch
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        device = torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # an AssertionError where torch was built without the device
        raise InputError(f'--device {name} cannot be used ({str(error).splitlines()[0]})') from error
    if device.type == 'cpu':
        keep_freed_memory()
    return name
