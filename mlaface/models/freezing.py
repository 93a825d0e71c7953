"""Parts of a network that do not learn: no gradient, and norms that keep the statistics that they have."""
from torch.nn.modules.batchnorm import _BatchNorm

from mlaface.registry import nearest


def freeze(modules):
    """Take modules out of learning, until their next ``train()``, after which it is to be called again.

    Args:
        modules (Iterable[nn.Module]): Their parameters get no gradient, and they go to evaluation mode.
    """
    for module in modules:
        module.requires_grad_(False).eval()


def hold_norms(module):
    """Let every BatchNorm of a module use its running statistics and leave them as they are."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.eval()


def named_parts(model, names):
    """Modules of a model by name.

    Args:
        model (nn.Module): The model.
        names (Sequence[str]): As ``named_modules`` has them: ``'neck'``, ``'backbone.layer1.0'``.

    Returns:
        list[nn.Module]: In the order of the names.

    Raises:
        ValueError: If a name is no module's; names the nearest.
    """
    known = dict(model.named_modules())
    known.pop('')
    for name in names:
        if name not in known:
            close = nearest(str(name), known)
            raise ValueError(f'frozen: the model has no part {name!r}' + (f'; did you mean {close!r}?' if close else
                             f'; it has {", ".join(key for key in known if "." not in key)}'))
    return [known[name] for name in names]
