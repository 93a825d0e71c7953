"""Networks of other libraries as backbones: a chain of their modules, cut where the map gets smaller."""
import torch
from torch import nn

from mlaface.models.backbones.base import Backbone
from mlaface.models.checkpointing import run_checkpointed
from mlaface.models.layers import switch
from mlaface.registry import did_you_mean
from mlaface.utils.errors import ArgumentError
from mlaface.utils.packages import import_optional


class LibraryNetwork(Backbone):
    """Base of the families ``timm.*`` and ``torchvision.*``. A subclass gives ``names``, ``create`` and ``chain``.

    Args:
        in_size (int): Height and width of the image in pixels. Default 112.
        with_cp (bool): Compute each module of the chain again in the backward pass to hold less. Default False.
        frozen_stages (int): Stages 1 to this one do not learn, nor does the stem, which is 0; a stage is what lies
            between two steps down of the map. Default -1, none.
        norm_eval (bool): BatchNorms keep their running statistics in training. Default False.

    Attributes:
        member (str): The network's name in its library.
        out_channels (int): Channels of the map.
        out_size (int): Height and width of the map.

    Raises:
        MissingPackageError: If the library is not installed.
        ArgumentError: If it has no such network, or the network gives no map.
    """

    member, package = None, None

    def __init__(self, in_size=112, with_cp=False, frozen_stages=-1, norm_eval=False):
        super().__init__()
        self.title = f'{self.package}.{self.member or "NAME"}'
        source = import_optional(self.package, repr(self.title))
        if self.member is None:
            raise ArgumentError(f"a network of {self.package} is named as in type='{self.package}.resnet18'")
        names = self.names(source)
        if self.member not in names:
            raise ArgumentError(f'{self.package} has no network {self.member!r}{did_you_mean(self.member, names)}')
        self.in_size, self.with_cp = in_size, switch(with_cp, 'with_cp')
        sizes = self._created(source)
        self.out_size = sizes[-1]
        steps = [a > b for a, b in zip(sizes, sizes[1:])]
        self.numbers = [sum(steps[:index]) for index in range(len(sizes))]  # of the stage of each module
        self.freeze_stages(frozen_stages, norm_eval)

    def _created(self, source):
        """Make the network and its chain; the height of what each module gives (list of int)."""
        try:
            self.net = self.create(source)
            self.chained = self.chain(self.net)
            return self._probe()
        except ArgumentError:
            raise
        except Exception as error:  # whatever a library raises on a network that is not as others are
            reason = str(error).partition('\n')[0]
            raise ArgumentError(f'{self.title} gives no map that could be made an embedding ({reason}); choose a '
                                'network of convolutions, or one with features_only in timm') from error

    def names(self, source):
        """All names of the library's networks (collection of str)."""
        raise NotImplementedError

    def create(self, source):
        """The network, with weights that are drawn (nn.Module)."""
        raise NotImplementedError

    def chain(self, net):
        """Names of the modules that are run one after another, the last to the map; '' is ``net`` (list of str)."""
        raise NotImplementedError

    def modules_of_chain(self):
        """The modules that are run one after another (list of nn.Module)."""
        return [self.net.get_submodule(name) for name in self.chained]

    def channels_end(self, net):
        """Whether the channels of the map come last, as in some transformers (bool)."""
        return False

    def image(self, net):
        """A black image (1, 3, in_size, in_size) where the parameters of a network are (Tensor)."""
        return next(net.parameters()).new_zeros(1, 3, self.in_size, self.in_size)

    def _probe(self):
        """Height of what each module gives; the last tells the channels too."""
        sizes, x = [], self.image(self.net)
        self.turned = self.channels_end(self.net)
        self.eval()
        with torch.no_grad():
            for module in self.modules_of_chain():
                x = last_map(module(x))
                sizes.append(x.shape[1 if self.turned else 2] if x.dim() == 4 else 0)
        self.train()
        x = x.permute(0, 3, 1, 2) if self.turned and x.dim() == 4 else x
        if x.dim() != 4 or x.shape[2] != x.shape[3]:
            raise ArgumentError(f'{self.title} gives {tuple(x.shape[1:])} for an image and no square map: choose '
                                'another network')
        self.out_channels = x.shape[1]
        return sizes

    def stages(self):
        """The modules of the chain, a list a size of the map; the stem is the first."""
        stages = [[] for _ in range(self.numbers[-1] + 1)]
        for number, module in zip(self.numbers, self.modules_of_chain()):
            stages[number].append(module)
        return stages

    def forward(self, x):
        """Normalised images (N, 3, in_size, in_size) to a map (N, out_channels, out_size, out_size)."""
        for module in self.modules_of_chain():
            x = last_map(run_checkpointed(module, x) if self.with_cp and self.training else module(x))
        return x.permute(0, 3, 1, 2) if self.turned else x


def unfolded(net, names):
    """Names of modules, in place of each sequence those of its own children (list of str)."""
    return [inner for name in names for inner in (
        [f'{name}.{child}' for child, _ in net.get_submodule(name).named_children()]
        if type(net.get_submodule(name)) is nn.Sequential else [name])]


def last_map(out):
    """The last of several maps, or the one that came (Tensor)."""
    return out[-1] if isinstance(out, (list, tuple)) else out
