"""Where a network of ours looks: what its attention lets through, and which patches its branch attends to."""
from mlaface.registry import ATTENTION


class AttentionMaps:
    """Maps of the attention inside a network.

    Args:
        model (FaceRecognizer): With attention plugins in its backbone, or a branch of self-attention.

    Example:
        >>> AttentionMaps(init_model('best.pth'))(crop)
        {'7 x 7': array(...), 'patches': array(...)}
    """

    def __init__(self, model):
        from mlaface.models.branches.patch_attention import (
            PatchSelfAttention,  # torch, which a server of ONNX needs not
        )
        self.model = model
        kinds = tuple(kind for kind in ATTENTION.classes().values() if isinstance(kind, type))
        self._gates = [module for module in model.modules()
                       if isinstance(module, kinds) or getattr(module, 'is_attention', False)]
        self._branches = [module for module in model.modules() if isinstance(module, PatchSelfAttention)]

    @classmethod
    def of(cls, model):
        """Of a network that has attention; None for one that has none."""
        found = cls(model)
        return found if found._gates or found._branches else None

    def __call__(self, crop):
        """Maps of one face.

        Args:
            crop (ndarray uint8 (3, H, W)): Aligned, RGB.

        Returns:
            dict[str, ndarray float32 (h, w)]: In [0, 1], each scaled to its own range. ``'14 x 14'``: the share of the
            map that attention lets through at each place, ``mean |out| / mean |in|`` over channels, averaged over the
            blocks whose maps have that size. ``'patches'``: how much each patch is attended to by all others.
        """
        import torch
        shares, received = {}, []

        def gate(module, inputs, output):
            share = output.float().abs().mean(1) / inputs[0].float().abs().mean(1).clamp_min(1e-12)
            shares.setdefault(tuple(share.shape[1:]), []).append(share[0])

        def branch(module, inputs, output):
            weights = module.attention(module.conv1_(inputs[0]))
            received.append(weights[0].float().mean(0).reshape(output.shape[2:]))
        hooks = [module.register_forward_hook(hook) for modules, hook in ((self._gates, gate), (self._branches, branch))
                 for module in modules]
        try:
            device = next(self.model.parameters()).device
            with torch.inference_mode():
                self.model.extract(torch.from_numpy(crop)[None].to(device))
        finally:
            for hook in hooks:
                hook.remove()
        found = {f'{height} x {width}': torch.stack(each).mean(0) for (height, width), each in sorted(shares.items())
                 if height * width > 1}
        found |= {'patches' + (f' {number}' if number else ''): each for number, each in enumerate(received)}
        return {name: _scaled(each).cpu().numpy() for name, each in found.items()}


def _scaled(weights):
    """Between 0 and 1; a map that is the same everywhere is 0."""
    low, high = weights.min(), weights.max()
    return (weights - low) / (high - low).clamp_min(1e-12)
