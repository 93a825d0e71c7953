"""From uint8 images to normalised floats, on the device."""
import torch
from torch import nn

from mlaface.registry import MODELS
from mlaface.utils.errors import InputError

LARGEST_NORMALISED = 32.0  # no sensible mean and std give larger values; 0..255 as floats does


@MODELS.register_module()
class FacePreprocessor(nn.Module):
    """``(x - mean) / std`` per channel; refuses images that the network was not made for.

    Args:
        mean (float | Sequence[float]): In units of the uint8 scale, one or one per channel. Default 127.5.
        std (float | Sequence[float]): As ``mean``, above 0. Default 127.5.
        size (int | Sequence[int]): Height and width in pixels. Default 112.
        color (str): Order of channels that the network takes; uint8 images are RGB, and swapped for 'BGR'. Default
            'RGB'.
        channels_last (bool): Give floats in channels-last memory. Default False.
    """

    def __init__(self, mean=127.5, std=127.5, size=112, color='RGB', channels_last=False):
        super().__init__()
        if color not in ('RGB', 'BGR'):
            raise ValueError(f"FacePreprocessor: color={color!r} is unknown; choose 'RGB' or 'BGR'")
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.color, self.channels_last = color, channels_last
        self.register_buffer('mean', self._per_channel(mean, 'mean'), persistent=False)
        self.register_buffer('std', self._per_channel(std, 'std'), persistent=False)
        # plain numbers beside the buffers, so that the description needs no copy from the device
        self.spec = dict(color=color, mean=self._list(mean), std=self._list(std), size=list(self.size))
        if min(self.spec['std']) <= 0:
            raise ValueError(f'FacePreprocessor: std={std} must be above 0')

    @staticmethod
    def _list(value):
        return [float(value)] * 3 if isinstance(value, (int, float)) else [float(v) for v in value]

    @classmethod
    def _per_channel(cls, value, name):
        values = cls._list(value)
        if len(values) != 3:
            raise ValueError(f'FacePreprocessor: {name} needs one number or three, got {len(values)}')
        return torch.tensor(values).view(1, 3, 1, 1)

    def check(self, images):
        """Refuse what is not a batch of aligned faces.

        Raises:
            InputError: If shape or range is wrong; names what came and what is needed.
            TypeError: If they are no tensor, or the type is neither uint8 nor floating point.
        """
        if not isinstance(images, torch.Tensor):
            raise TypeError(f'images must be a tensor, got {type(images).__name__}; of an array torch.from_numpy makes '
                            'one')
        shape = tuple(images.shape)
        if images.dim() != 4 or shape[1] != 3:
            hint = ' (channels come first)' if shape[-1:] == (3,) else ''
            raise InputError(f'images must be (N, 3, {self.size[0]}, {self.size[1]}), got {shape}{hint}')
        if shape[2:] != self.size:
            raise InputError(f'images of {shape[2]}x{shape[3]} pixels, but the network takes {self.size[0]}x'
                             f'{self.size[1]}: align faces to that size, or build the network with another in_size')
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise TypeError(f'images must be uint8 (0 to 255), or floats that are normalised already, '
                            f'not {images.dtype}')

    def _check_range(self, images):
        if (torch.compiler.is_compiling() or torch.jit.is_tracing() or images.device.type == 'meta'
                or not images.numel()):
            return
        largest = float(images.detach().abs().max())
        if not largest <= LARGEST_NORMALISED:
            raise InputError(f'floating-point images reach {largest:.4g}: floats are taken as normalised already, and '
                             'must be finite; hand over uint8 images (0 to 255) to have them normalised here')

    def forward(self, images):
        """Normalise a batch on the module's device.

        Args:
            images (Tensor): RGB uint8 (N, 3, H, W), 0 to 255; or floats, taken as normalised already.

        Returns:
            Tensor: Floats of the module's precision, (N, 3, H, W).

        Raises:
            ValueError: If images have another size or shape, or floats look like 0 to 255.
            TypeError: If images are of another type.
        """
        self.check(images)
        raw = images.dtype == torch.uint8
        if not raw:
            self._check_range(images)
        images = images.to(self.mean.device, non_blocking=True)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        images = images.to(self.mean.dtype, memory_format=layout)
        if not raw:
            return images
        return ((images.flip(1) if self.color == 'BGR' else images) - self.mean) / self.std
