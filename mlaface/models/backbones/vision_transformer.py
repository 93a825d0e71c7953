"""Vision transformers for faces (An et al., Killing Two Birds with One Stone: Partial FC, CVPR 2022, and its trainer).

The transformer is that of Dosovitskiy et al. (ICLR 2021) without class token; the embedding is made of all patches, by
``TokenNeck``. Patches are left out in training as in masked autoencoders (He et al., CVPR 2022).
"""
import torch
from torch import nn

from mlaface.models.backbones.base import Backbone
from mlaface.models.checkpointing import run_checkpointed
from mlaface.models.drop_path import DropPath, drop_path_rates
from mlaface.models.layers import build_attention, check_stages, scale_channels, switch
from mlaface.models.precision import full_precision
from mlaface.registry import MODELS

STAGES = 4


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al., NeurIPS 2017), its queries, keys and values without biases.

    Args:
        dim (int): Channels of a token.
        heads (int): Their number; divides ``dim``.
    """

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        """Tokens (N, L, C) to tokens (N, L, C); the weights are computed in float32."""
        n, length, dim = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        with full_precision(x.device.type):
            wide = torch.promote_types(q.dtype, torch.float32)
            out = nn.functional.scaled_dot_product_attention(q.to(wide), k.to(wide), v.to(wide))
        return self.proj(out.transpose(1, 2).reshape(n, length, dim).to(q.dtype))


class Mlp(nn.Module):
    """Two linear layers and ReLU6 between them.

    Args:
        dim (int): Channels of a token.
        hidden (int): Channels between the layers.
    """

    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(dim, hidden), nn.ReLU6(), nn.Linear(hidden, dim)

    def forward(self, x):
        """Tokens (N, L, C) to tokens (N, L, C)."""
        return self.fc2(self.act(self.fc1(x)))


class TransformerBlock(nn.Module):
    """``x + attn(norm1(x))``, then ``x + mlp(norm2(x))``.

    Args:
        dim (int): Channels of a token.
        heads (int): Of the self-attention.
        mlp_ratio (float): Hidden channels of the MLP over ``dim``.
        drop_path (float): Share of images that skip each of the two in training.
        attention (nn.Module, optional): A plugin on what the MLP gives, laid on the grid of patches.
        side (int): Height and width of that grid.
    """

    def __init__(self, dim, heads, mlp_ratio, drop_path, attention, side):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn, self.mlp = SelfAttention(dim, heads), Mlp(dim, int(dim * mlp_ratio))
        self.drop_path, self.plugin, self.side = DropPath(drop_path), attention, side

    def forward(self, x):
        """Tokens (N, L, C) to tokens (N, L, C)."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        out = self.mlp(self.norm2(x))
        if self.plugin is not None:
            out = to_tokens(self.plugin(to_map(out, self.side)))
        return x + self.drop_path(out)


def to_map(tokens, side):
    """Tokens (N, side * side, C) to a map (N, C, side, side)."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], side, side)


def to_tokens(x):
    """Map (N, C, H, W) to tokens (N, H * W, C)."""
    return x.flatten(2).transpose(1, 2)


class PatchEmbedding(nn.Module):
    """Patches of the image to tokens that know where they were.

    Args:
        dim (int): Channels of a token.
        patch (int): Height and width of a patch in pixels; what is left at the right and lower edge is not seen.
        side (int): Patches along an edge.
    """

    def __init__(self, dim, patch, side):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, stride=patch)
        self.pos_embed = nn.Parameter(torch.zeros(1, side * side, dim))

    def forward(self, x):
        """Image (N, 3, H, W) to tokens (N, L, C)."""
        return to_tokens(self.proj(x)) + self.pos_embed


class PatchMask(nn.Module):
    """Takes patches out of each image in training, others in each, and puts one learned token in their places.

    Args:
        dim (int): Channels of a token.
        ratio (float): Share of the patches. With 0 the token is a buffer: nothing learns it, and files have it.
    """

    def __init__(self, dim, ratio):
        super().__init__()
        if not 0 <= ratio < 1:
            raise ValueError(f'mask_ratio={ratio} must be a share of the patches, from 0 on and below 1')
        self.ratio, token = ratio, torch.zeros(1, 1, dim)
        if ratio > 0:
            self.token = nn.Parameter(token)
        else:
            self.register_buffer('token', token)

    def take(self, x):
        """Tokens (N, L, C) to those that stay (N, K, C), in random order, and their places (N, K).

        K is ``int(L * (1 - ratio))``. In evaluation all stay, and the places are None.
        """
        if not self.training or self.ratio == 0:
            return x, None
        order = torch.rand(x.shape[:2], device=x.device).argsort(1)
        kept = order[:, :int(x.shape[1] * (1 - self.ratio))]
        return x.gather(1, kept[:, :, None].expand(-1, -1, x.shape[2])), kept

    def fill(self, x, kept, length):
        """Those that stayed (N, K, C) to all of them (N, length, C), the learned token where one was taken."""
        if kept is None:
            return x
        whole = self.token.to(x.dtype).expand(x.shape[0], length, -1)
        return whole.scatter(1, kept[:, :, None].expand(-1, -1, x.shape[2]), x)


@MODELS.register_module()
class VisionTransformer(Backbone):
    """The ViTs of InsightFace's trainer, from the image to the last norm; ``TokenNeck`` makes the embedding.

    Its ViT-T, S, B and L on images of 112 pixels are ``dim, depth`` = (256, 12), (512, 12), (512, 24), (768, 24).

    Args:
        dim (int): Channels of a token. Default 256.
        depth (int): Blocks, 4 or more. Default 12.
        heads (int): Of the self-attention. Default 8.
        patch_size (int): Height and width of a patch in pixels. Default 9.
        mlp_ratio (float): Hidden channels of the MLPs over ``dim``. Default 4.0.
        mask_ratio (float): Share of the patches that each image loses in training; the trainer has 0, 0.05 and 0.1.
            Default 0.0.
        drop_path_rate (float): Share of images that skip the last block in training, less in those before it; the
            trainer has 0.05 and 0.1. Default 0.0.
        width (float): Multiplies ``dim``, rounded to a multiple of 8. Default 1.0.
        attention (dict, optional): Config for ``ATTENTION``, on what the MLP of each block gives. Not with
            ``mask_ratio``: a plugin takes a whole map.
        attention_stages (Sequence[int]): Stages, of 1 to 4, whose blocks have it. Default all.
        in_size (int): Height and width of the image in pixels. Default 112.
        with_cp (bool): Compute each block again in the backward pass to hold less. Default False.
        frozen_stages (int): Stages 1 to this one of 4, each a quarter of the blocks, do not learn, nor does the stem,
            which is 0. Default -1, none.
        norm_eval (bool): As in other backbones; there is no BatchNorm in this one. Default False.

    Attributes:
        out_channels (int): Channels of the map.
        out_size (int): Height and width of the map: patches along an edge.

    Raises:
        ValueError: If ``heads`` does not divide ``dim``, there are fewer than 4 blocks or no whole patch, or a plugin
            would see a masked map.
    """

    def __init__(self, dim=256, depth=12, heads=8, patch_size=9, mlp_ratio=4.0, mask_ratio=0.0, drop_path_rate=0.0,
                 width=1.0, attention=None, attention_stages=(1, 2, 3, 4), in_size=112, with_cp=False,
                 frozen_stages=-1, norm_eval=False):
        super().__init__()
        check_stages(attention_stages, STAGES, attention)
        dim, side = scale_channels(dim, width), in_size // patch_size
        _check(dim, depth, heads, side, attention is not None and mask_ratio > 0)
        self.in_size, self.with_cp, self.out_channels, self.out_size = in_size, switch(with_cp, 'with_cp'), dim, side
        self.patch_embed = PatchEmbedding(dim, patch_size, side)
        self.counts = [depth * stage // STAGES for stage in range(STAGES + 1)]
        stages = [stage for stage in range(1, STAGES + 1)
                  for _ in range(self.counts[stage] - self.counts[stage - 1])]
        plugins = [build_attention(attention, dim, stage, attention_stages) for stage in stages]
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads, mlp_ratio, rate, plugin, side) for plugin, rate in
                                    zip(plugins, drop_path_rates(drop_path_rate, depth)))
        self.norm, self.mask = nn.LayerNorm(dim), PatchMask(dim, mask_ratio)
        self._init_weights()
        self.freeze_stages(frozen_stages, norm_eval)

    def _init_weights(self):
        """As the trainer does; what a plugin draws stays."""
        nn.init.trunc_normal_(self.patch_embed.pos_embed, std=0.02)
        nn.init.normal_(self.mask.token, std=0.02)
        for block in self.blocks:
            for layer in (block.attn.qkv, block.attn.proj, block.mlp.fc1, block.mlp.fc2):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def stages(self):
        """The patches' embedding, and four quarters of the blocks; norm and mask belong to the last."""
        stages = [[self.patch_embed], *([*self.blocks[first:last]] for first, last in
                                        zip(self.counts, self.counts[1:]))]
        stages[-1] += [self.norm, self.mask]
        return stages

    def forward(self, x):
        """Normalised images (N, 3, in_size, in_size) to a map (N, out_channels, out_size, out_size)."""
        x = self.patch_embed(x)
        length = x.shape[1]
        x, kept = self.mask.take(x)
        for block in self.blocks:
            x = run_checkpointed(block, x) if self.with_cp and self.training else block(x)
        return to_map(self.mask.fill(self.norm(x), kept, length), self.out_size)


def _check(dim, depth, heads, side, masked_plugin):
    """Refuse a transformer that cannot be."""
    if dim % heads:
        raise ValueError(f'VisionTransformer: {heads} heads do not divide its {dim} channels; set heads, dim or width')
    if depth < STAGES:
        raise ValueError(f'VisionTransformer: depth={depth} must be {STAGES} or more, a block a stage')
    if side < 1:
        raise ValueError('VisionTransformer: the image is smaller than a patch; set in_size or patch_size')
    if masked_plugin:
        raise ValueError('VisionTransformer: an attention plugin takes a whole map, and mask_ratio takes patches out '
                         'of it in training: set mask_ratio=0, or leave attention out')
