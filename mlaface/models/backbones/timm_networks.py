"""Networks of timm (Wightman, PyTorch Image Models) by name: ``dict(type='timm.mobilenetv3_small_100')``."""
import torch

from mlaface.models.backbones._library import LibraryNetwork, last_map, unfolded
from mlaface.registry import MODELS


@MODELS.register_module(name='timm.*')
class TimmNetwork(LibraryNetwork):
    """Any network of timm with ``features_only``, up to its last map, with weights that are drawn.

    Its widths, depths and attention are those of its name. A network that timm does not cut into parts, as a plain
    transformer, is one stage.
    """

    package = 'timm'
    __init__ = LibraryNetwork.__init__

    def names(self, source):
        """Names of architectures."""
        return source.list_models()

    def create(self, source):
        """The network up to its last map, for images of ``in_size`` pixels."""
        net = source.create_model(self.member, features_only=True)
        if self._takes_the_size(net):
            return net
        return source.create_model(self.member, features_only=True, img_size=self.in_size)  # a transformer

    def _takes_the_size(self, net):
        try:
            with torch.no_grad():
                last_map(net.eval()(self.image(net)))
        except (AssertionError, RuntimeError):
            return False
        return True

    def channels_end(self, net):
        """As the network says of itself."""
        return str(getattr(net, 'output_fmt', 'NCHW')).endswith('NHWC')

    def chain(self, net):
        """The parts of a list of features, or stem and blocks of a mobile network; else the whole."""
        names = [name for name, _ in net.named_children()]
        if hasattr(net, 'return_layers'):
            return names
        return unfolded(net, names) if {'conv_stem', 'blocks'} <= set(names) else ['']
