"""Grad-CAM (Selvaraju et al., ICCV 2017) of a cosine, by captum's ``LayerGradCam``."""
import numpy as np
import torch
from torch import nn

from mlaface.registry import did_you_mean
from mlaface.utils.errors import InputError
from mlaface.utils.packages import import_optional


class GradCAM:
    """Where a face has what makes it alike.

    A recognizer has no classes to explain: what is explained is the cosine of a face's embedding with that of another
    face. Its own embedding would not do, since there the cosine has its maximum and no gradient: the mirror image's is
    taken. The map is ``relu(sum_c mean(d cosine / d A_c) A_c)`` of the maps A_c of a layer.

    Args:
        model (FaceRecognizer): In evaluation mode.
        layer (str): Module that gives a map (N, C, h, w). Default ``'backbone'``, whose map is that of its last stage.
            Of a list of modules that is not called itself, such as a stage, the last one is taken.

    Raises:
        MissingPackageError: If captum is not installed.
        InputError: If there is no such layer, or it gives no map that the embedding is made of.
    """

    def __init__(self, model, layer='backbone'):
        captum = import_optional('captum.attr', 'Grad-CAM')
        self.model, self.layer = model, _called(model, layer)
        self._cam = captum.LayerGradCam(self._cosine, model.get_submodule(self.layer))

    def __call__(self, crop, other=None):
        """One face.

        Args:
            crop (ndarray uint8 (3, H, W)): Aligned, RGB.
            other (ndarray uint8 (3, H, W), optional): The face whose likeness is explained. Default: the mirror image.

        Returns:
            tuple: Map (ndarray float32 (h, w)), at least 0; and the cosine (float).
        """
        x = _normalised(self.model, crop)
        with torch.no_grad():
            self._target = self.model.embed(x.flip(3) if other is None else _normalised(self.model, other)).float()
            cosine = float(self._cosine(x))
        with torch.enable_grad():
            found = self._cam.attribute(x.clone().requires_grad_(), relu_attributions=True)
        return found[0, 0].detach().float().cpu().numpy(), cosine

    def _cosine(self, x):
        return nn.functional.cosine_similarity(self.model.embed(x).float(), self._target)


def _normalised(model, crop):
    device = next(model.parameters()).device
    return model.preprocessor(torch.from_numpy(np.ascontiguousarray(crop))[None].to(device))


def _called(model, layer):
    """The name of the module that is called, if its output is a map with a gradient of the embedding."""
    names, given = dict(model.named_modules(remove_duplicate=False)), {}
    if layer not in names or not layer:
        raise InputError(f'layer {layer!r}: the network has no such module{did_you_mean(layer, names)} Its parts are '
                         f'{", ".join(name for name, _ in model.named_children())}')
    line = [layer]
    while isinstance(names[line[-1]], (nn.Sequential, nn.ModuleList)) and len(names[line[-1]]):
        line.append(f'{line[-1]}.{list(names[line[-1]]._modules)[-1]}')
    height, width = model.preprocessor.spec['size']
    hooks = [names[name].register_forward_hook(lambda module, inputs, output, name=name: given.update({name: output}))
             for name in line]
    try:
        with torch.enable_grad():
            x = next(model.parameters()).new_zeros(1, 3, height, width).requires_grad_()
            embedding = model.embed(x)
        name = next((name for name in line if name in given), layer)
        found = given.get(name)
        is_map = torch.is_tensor(found) and found.dim() == 4 and found.requires_grad
        if is_map and torch.autograd.grad(embedding.sum(), found, allow_unused=True)[0] is not None:
            return name
    finally:
        for hook in hooks:
            hook.remove()
    what = tuple(found.shape) if torch.is_tensor(found) else 'nothing' if found is None else type(found).__name__
    raise InputError(f'layer {name!r} gives {what}: Grad-CAM needs a map (N, C, h, w) that the embedding is made of; '
                     "'backbone' gives the last one")
