"""Networks of torchvision by name: ``dict(type='torchvision.resnet18')``."""
import torch

from mlaface.models.backbones._library import LibraryNetwork, unfolded
from mlaface.registry import MODELS

AUXILIARY = 'aux'  # heads that only training has


@MODELS.register_module(name='torchvision.*')
class TorchvisionNetwork(LibraryNetwork):
    """Any classifier of torchvision that is a chain of modules, up to its last map, with weights that are drawn.

    Its widths and depths are those of its name. What comes after the map is left out. Names of parameters are
    torchvision's.
    """

    package = 'torchvision'
    __init__ = LibraryNetwork.__init__

    def names(self, source):
        """Names of classifiers."""
        return source.models.list_models(module=source.models)

    def create(self, source):
        """The network without what comes after its map."""
        net = source.models.get_model(self.member, weights=None)
        called = self._called(net)
        maps = [name for name, shape in called.items() if len(shape) == 4 and shape[2] > 1]
        if not maps:
            raise ValueError('it has no map')
        names = list(called)
        kept, after = names[:names.index(maps[-1]) + 1], names[names.index(maps[-1]) + 1:]
        if any(len(called[name]) == 3 for name in after):
            raise ValueError('it goes on with tokens')
        for name, child in list(net.named_children()):
            if name not in called and any(True for _ in child.parameters()) and not name.lower().startswith(AUXILIARY):
                raise ValueError(f'its part {name!r} is not called as one')
            if name not in kept:
                delattr(net, name)
        self._kept = kept
        return net

    def _called(self, net):
        """Shapes of what the direct children give for an image, in the order in which they are called (dict)."""
        called, hooks = {}, []
        for name, child in net.named_children():
            hooks.append(child.register_forward_hook(
                lambda module, args, out, name=name: called.__setitem__(name, getattr(out, 'shape', ()))))
        with torch.no_grad():
            net.eval()(self.image(net))
        for hook in hooks:
            hook.remove()
        return called

    def chain(self, net):
        """The children that are left, of a sequence its own children."""
        return unfolded(net, self._kept)
