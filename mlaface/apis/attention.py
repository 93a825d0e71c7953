"""Where a network of ours looks: what its attention lets through, and which places its branches attend to."""


class AttentionMaps:
    """Maps of the attention inside a network.

    Args:
        model (FaceRecognizer): With attention plugins in its backbone, or a branch of self-attention.

    Example:
        >>> AttentionMaps(init_model('best.pth'))(crop)
        {'7 x 7': array(...), 'patches': array(...)}
    """

    def __init__(self, model):
        from mlaface.visualization.observe import Observer  # torch, which a server of ONNX needs not
        self._observer = Observer(model)

    @classmethod
    def of(cls, model):
        """Of a network that has attention; None for one that has none."""
        found = cls(model)
        return found if found._observer else None

    def __call__(self, crop):
        """Maps of one face.

        Args:
            crop (ndarray uint8 (3, H, W)): Aligned, RGB.

        Returns:
            dict[str, ndarray float32 (h, w)]: In [0, 1], each scaled to its own range. ``'14 x 14'``: the share of the
            map that attention lets through at each place, ``mean |out| / mean |in|`` over channels, averaged over the
            blocks whose maps have that size. ``'patches'``, ``'places'``: how much each patch of the image, or place
            of the backbone's map, is attended to by all others.
        """
        blocks, attended = self._observer(crop)
        shares, found = {}, {}
        for block in blocks:
            shares.setdefault(block.places.shape, []).append(block.places)
        for (height, width), each in sorted(shares.items()):
            if height * width > 1:
                found[f'{height} x {width}'] = sum(each) / len(each)
        for branch in attended:
            name = 'patches' if branch.kind == 'PatchSelfAttention' else 'places'
            number = sum(key.partition(' ')[0] == name for key in found)
            found[name + (f' {number}' if number else '')] = branch.received
        return {name: _scaled(each) for name, each in found.items()}


def _scaled(weights):
    """Between 0 and 1; a map that is the same everywhere is 0."""
    low, high = weights.min(), weights.max()
    return (weights - low) / max(high - low, 1e-12)
