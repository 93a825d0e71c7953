"""FaceRecognizer: preprocessor, backbone, branches and fusion, neck, head."""
import contextlib
from functools import partial

import torch
from torch import nn

from mlaface.models.freezing import freeze, named_parts
from mlaface.models.gates import LearnableGate
from mlaface.models.layers import switch
from mlaface.registry import MODELS
from mlaface.utils.errors import ArgumentError

FLIPS = ('none', 'sum', 'concat')
MODES = ('tensor', 'loss', 'predict')
# the published MLA-ArcFace: energies cut instead of scaled, and one norm for branch, trunk and sum
VARIANTS = dict(published=dict(branch=dict(scale=None, clamp=(-1, 1)), fusion=dict(norm='shared')))


def _choose(value, choices, what):
    if value not in choices:
        raise ValueError(f'{what}={value!r} is unknown; choose one of {", ".join(map(repr, choices))}')
    return value


def _apply_variant(variant, part, config):
    """``config`` of ``part`` with what a variant fixes; a value that contradicts it is refused."""
    if variant is None or config is None:
        return config
    if not isinstance(config, dict):
        raise ValueError(f'variant={variant!r} has one {part}, not {len(config)}: give a dict')
    fixed = VARIANTS[variant][part]
    for key, value in fixed.items():
        stated = config.get(key, value)
        if (tuple(stated) if isinstance(stated, (list, tuple)) else stated) != value:
            raise ValueError(f'variant={variant!r} fixes {part}.{key} to {value!r}, but the config says {stated!r}: '
                             'leave one of the two out')
    return {**config, **fixed}


def _takes_trunk(branch):
    return getattr(branch, 'takes_trunk', False)


def _tried(what, part, *maps):
    """A map (Tensor) that a part makes; ``ArgumentError`` if it makes none, names the part and what it was given."""
    given = ' and '.join(str(tuple(each.shape)) for each in maps)
    try:
        made = part(*maps)
    except Exception as error:  # whatever a plugin raises is a word about the maps
        word = (str(error) or type(error).__name__).splitlines()[0]
        raise ArgumentError(f'the {what} cannot take {given}: {word}') from error
    if not torch.is_tensor(made):
        raise ArgumentError(f'the {what} makes {type(made).__name__} of {given}: it must give a map, a Tensor')
    return made


@contextlib.contextmanager
def _evaluating(model):
    """Evaluation mode inside the block, the former mode of every module after it."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@MODELS.register_module()
class FaceRecognizer(nn.Module):
    """A face-recognition network: image to embedding, and to the loss in training.

    Args:
        backbone (dict): Config of the trunk: image to map.
        neck (dict): Config of the neck: map to embedding.
        head (dict, optional): Config of the head, with ``loss(embeddings, labels) -> dict``, which is also
            given ``images=`` where it has ``needs_images``. None for inference only.
        branch (dict | Sequence[dict], optional): Config of a branch: image to a map like the backbone's; or, where its
            class has ``takes_trunk = True``, the backbone's map to another of its shape. Or of several, whose
            parameters are named ``branch.0`` and so on.
        fusion (dict, optional): Config of what joins backbone and branches; both or neither must be given.
        preprocessor (dict, optional): Config of the preprocessor. Default ``FacePreprocessor`` of the backbone's size.
        flip (str): How ``predict`` joins an image and its mirror image: ``'none'``, ``'sum'`` (default), ``'concat'``.
        variant (str, optional): ``'published'`` makes branch and fusion those of the published MLA-ArcFace code.
        channels_last (bool): Keep maps and kernels in channels-last memory. Default False.
        compile (bool | dict): Compile the trunk's parts with ``torch.compile``; a dict gives its options. Default
            False.
        frozen (Sequence[str]): Parts that do not learn, with their norms as they are: ``'branch'``, ``'neck'``, or any
            module by its name. Stages of the backbone: ``backbone.frozen_stages``. Default none.

    Raises:
        ValueError: If parts do not fit each other.
    """

    def __init__(self, backbone, neck, head=None, branch=None, fusion=None, preprocessor=None, flip='sum',
                 variant=None, channels_last=False, compile=False, frozen=()):
        super().__init__()
        if (branch is None) != (fusion is None):
            raise ValueError('branch and fusion come together: give both, or neither')
        self.flip = _choose(flip, FLIPS, 'flip')
        if variant is not None:
            _choose(variant, VARIANTS, 'variant')
        self.backbone = MODELS.build(backbone)
        self.branch = self._build_branch(_apply_variant(variant, 'branch', branch)) if branch else None
        self.fusion = MODELS.build(_apply_variant(variant, 'fusion', fusion)) if fusion else None
        self.neck = MODELS.build(neck)
        self.head = MODELS.build(head) if head else None
        self.preprocessor = MODELS.build({'type': 'FacePreprocessor', 'size': self.backbone.in_size,
                                          'channels_last': channels_last, **(preprocessor or {})})
        self._inner_gates = [module for module in self.backbone.modules() if isinstance(module, LearnableGate)]
        self._check_parts()
        self.frozen = (frozen,) if isinstance(frozen, str) else tuple(frozen)
        self.train()
        if switch(channels_last, 'channels_last'):
            self.to(memory_format=torch.channels_last)
        if compile and (isinstance(compile, dict) or switch(compile, 'compile')):
            self._compile(compile if isinstance(compile, dict) else {})

    def train(self, mode=True):
        """As ``nn.Module.train``, but for what is frozen."""
        super().train(mode)
        names = [name for name in self.frozen if self.head is not None or name.partition('.')[0] != 'head']
        freeze(named_parts(self, names))
        return self

    @staticmethod
    def _build_branch(config):
        return MODELS.build(config) if isinstance(config, dict) else nn.ModuleList(map(MODELS.build, config))

    @property
    def branches(self):
        """The branches (list of nn.Module), none or more."""
        if self.branch is None:
            return []
        return list(self.branch) if isinstance(self.branch, nn.ModuleList) else [self.branch]

    def _check_branches(self):
        """Refuse branches that the fusion does not join."""
        joined = getattr(self.fusion, 'branches', len(self.branches))
        if self.branches and joined != len(self.branches):
            raise ValueError(f'the fusion {type(self.fusion).__name__} joins {joined} branch(es), and there are '
                             f'{len(self.branches)}: set fusion.branches={len(self.branches)} where it takes that')
        made, fused = self.backbone.out_channels, getattr(self.fusion, 'channels', None)
        if fused not in (None, made):
            raise ValueError(f'the backbone makes maps of {made} channels, the fusion joins maps of {fused}: set '
                             f'fusion.channels={made}')
        taken = getattr(self.fusion, 'branch_channels', self.backbone.out_channels)
        for number, branch in enumerate(self.branches):
            channels = getattr(branch, 'out_channels', taken)
            if channels != taken:
                place = f'branch.{number}' if isinstance(self.branch, nn.ModuleList) else 'branch'
                raise ValueError(f'the {place} makes maps of {channels} channels, and {taken} are fused with the '
                                 f"backbone's {self.backbone.out_channels}: set {place}.channels={taken}")

    @torch.no_grad()
    def _try_branches(self):
        """Try branches and fusion on one image, before the first does; in evaluation, which changes nothing in them."""
        device = next((weight.device for weight in self.backbone.parameters()), None)
        size, side = self.backbone.in_size, self.backbone.out_size
        image = torch.zeros(1, 3, size, size, device=device)
        trunk = torch.zeros(1, self.backbone.out_channels, side, side, device=device)
        with _evaluating(self):
            made = [_tried(f'branch {type(branch).__name__}', branch, trunk if _takes_trunk(branch) else image)
                    for branch in self.branches]
            fuse = partial(self.fusion, **self._neck_norm())
            fused = _tried(f'fusion {type(self.fusion).__name__}', fuse, trunk, *made)
        expected = 1, getattr(self.fusion, 'out_channels', self.backbone.out_channels), side, side
        if fused.shape != expected:
            raise ArgumentError(f'the fusion {type(self.fusion).__name__} makes {tuple(fused.shape)} of a map '
                                f'{tuple(trunk.shape)} of the trunk: it must be {expected}')

    def _neck_norm(self):
        """What a fusion that shares the neck's norm is given besides the maps (dict)."""
        return dict(neck_norm=self.neck.bn2) if getattr(self.fusion, 'needs_neck_norm', False) else {}

    def _check_parts(self):
        """Refuse parts whose shapes do not fit, before the first image does."""
        self._check_branches()
        if self.branches:
            self._try_branches()
        made = (getattr(self.fusion, 'out_channels', self.backbone.out_channels), self.backbone.out_size)
        taken = (getattr(self.neck, 'in_channels', made[0]), getattr(self.neck, 'in_size', made[1]))
        if made != taken:
            raise ValueError(f'the {"fusion" if made[0] != self.backbone.out_channels else "backbone"} makes maps of '
                             f'{made[0]} channels and {made[1]}x{made[1]}, the neck takes '
                             f'{taken[0]} channels and {taken[1]}x{taken[1]}: set neck.in_channels={made[0]}, '
                             f'neck.in_size={made[1]}')
        size = getattr(self.head, 'embedding_size', self.embedding_size)
        if size != self.embedding_size:
            raise ValueError(f'the neck makes embeddings of {self.embedding_size}, the head takes {size}: '
                             f'set head.embedding_size={self.embedding_size}')

    def _compile(self, options):
        # part by part and in place: names of parameters stay, and a deep copy (as for EMA) never calls the original
        for part in (self.backbone, *self.branches, self.fusion, self.neck):
            if part is not None:
                try:
                    part.compile(**options)
                except TypeError as error:
                    raise ValueError(f'compile={options}: {error}; give options of torch.compile, or True') from error

    @property
    def embedding_size(self):
        """D of the embeddings (int)."""
        return self.neck.embedding_size

    @property
    def input_spec(self):
        """What images the network takes, as it travels with a checkpoint: color, mean, std, size (dict)."""
        return self.preprocessor.spec

    def embed(self, x):
        """Normalised images (N, 3, H, W) to embeddings (N, D), as the network makes them."""
        features = self.backbone(x)
        if self.branch is not None:
            made = [branch(features if _takes_trunk(branch) else x) for branch in self.branches]
            features = self.fusion(features, *made, **self._neck_norm())
        return self.neck(features)

    def forward(self, images, labels=None, mode='tensor'):
        """Run the network.

        Args:
            images (Tensor): RGB uint8 (N, 3, H, W); floats are taken as normalised already.
            labels (Tensor, optional): int64 (N,), for ``mode='loss'``.
            mode (str): ``'tensor'``, ``'loss'`` or ``'predict'``.

        Returns:
            Tensor | dict: Embeddings (N, D) as the network makes them; or ``loss`` and what is to be logged (scalars
            that stay on the device); or embeddings of unit length, joined with the mirror image's as configured.

        Raises:
            ValueError: If the mode is unknown, images have another size, or labels or head are missing for the loss.
        """
        _choose(mode, MODES, 'mode')
        if mode == 'predict':
            return nn.functional.normalize(self.extract(images, self.flip))
        if mode == 'loss':
            return self._loss(images, labels)
        return self.embed(self.preprocessor(images))

    def _loss(self, images, labels):
        if self.head is None:
            raise ValueError("mode='loss' needs a head: give FaceRecognizer a head config")
        if labels is None or labels.shape != images.shape[:1]:
            raise ValueError(f"mode='loss' needs one label per image: {images.shape[0]} images, labels "
                             f'{None if labels is None else tuple(labels.shape)}')
        embeddings = self.embed(self.preprocessor(images))
        needed = dict(images=images) if getattr(self.head, 'needs_images', False) else {}
        losses = self.head.loss(embeddings, labels.to(embeddings.device, non_blocking=True), **needed)
        return {**self.gates(), **losses}

    def gates(self):
        """Learned gates for the log (dict of ()).

        ``gate`` of the fusion, ``gate_0`` and so on where it has one for each of several branches; ``attention_gate``,
        the mean over blocks.
        """
        values = {}
        if hasattr(self.fusion, 'gate'):
            gates = self.fusion.gate.detach().flatten()
            values = dict(gate=gates.mean()) if len(gates) == 1 else {f'gate_{i}': each for i, each in enumerate(gates)}
        if self._inner_gates:
            values['attention_gate'] = torch.cat([module.gamma.detach() for module in self._inner_gates]).mean()
        return values

    @torch.no_grad()
    def extract(self, images, flip='none'):
        """Embeddings in evaluation mode and without gradients, whatever mode the network is in.

        Args:
            images (Tensor): RGB uint8 (N, 3, H, W); floats are taken as normalised already.
            flip (str): ``'none'``; ``'sum'`` adds the mirror image's embedding; ``'concat'`` appends it.

        Returns:
            Tensor: Floats (N, D), or (N, 2 D) for ``'concat'``; not normalised.

        Raises:
            ValueError: If images have another size, or ``flip`` is unknown.
        """
        _choose(flip, FLIPS, 'flip')
        with _evaluating(self):
            x = self.preprocessor(images)
            embeddings = self.embed(x).float().clone()  # a CUDA graph (compile) writes its next output over this one
            if flip == 'none':
                return embeddings
            mirrored = self.embed(x.flip(3)).float()
        return embeddings + mirrored if flip == 'sum' else torch.cat([embeddings, mirrored], 1)

    def train_step(self, data, optim_wrapper):
        """One forward and backward pass, and the update if it is due, as MMEngine's loops call it.

        Args:
            data (dict): ``images`` and ``labels``.
            optim_wrapper (OptimWrapper): What updates the weights.

        Returns:
            dict: As ``forward`` in mode ``'loss'``.
        """
        with optim_wrapper.optim_context(self):
            losses = self(data['images'], data['labels'], mode='loss')
        optim_wrapper.update_params(losses['loss'])
        return losses

    def val_step(self, data):
        """Embeddings of a batch, float32 (N, D) or (N, 2 D) of unit length, with the rows' ``index`` (N,)."""
        return dict(embeddings=self(data['images'], mode='predict'), index=data['index'])

    def test_step(self, data):
        """As ``val_step``."""
        return self.val_step(data)
