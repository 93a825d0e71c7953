"""The optimizer over groups of parameters that learn and decay alike."""
import copy
import math

from mmengine.model import is_model_wrapper

from mlaface.engine.optim_wrapper import FaceOptimWrapper
from mlaface.engine.param_groups import ParamRules, trainable
from mlaface.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from mlaface.utils.sharding import row_shard

ROWS = "set optim_wrapper.optimizer.type to 'RowSGD' or 'RowAdamW', which are SGD and AdamW by rows"
DEFAULTS = dict(SGD=dict(momentum=0.9), RowSGD=dict(momentum=0.9))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class FaceOptimWrapperConstructor:
    """Builds the optimizer over as few groups as the rules allow, so that its fused or batched update stays fast.

    Args:
        optim_wrapper_cfg (dict): ``dict(type='FaceOptimWrapper', optimizer=dict(type='SGD', lr=...), ...)``. SGD and
            RowSGD get a momentum of 0.9 unless one is stated.
        paramwise_cfg (dict, optional): Multipliers of learning rate and weight decay, by MMEngine's names:

            ``custom_keys`` (dict): ``{'backbone.layer1': dict(lr_mult=0.1, decay_mult=0)}``. A key holds for every
            parameter in whose name it stands; of several the longest, then the first by the alphabet. A multiplier
            that it states takes the place of those below but ``layer_decay``. One that it does not state is left to
            them: MMEngine takes 1 there, which lets the norms of a slower trunk decay. ``lr_mult=0`` holds the values
            only; to freeze a part with its norms say ``model.frozen`` or ``backbone.frozen_stages``.

            ``layer_decay`` (float): Stages of the backbone, from the last to the stem, learn at this power 1, 2, ...
            of the rate; all else at the rate itself. Default 1.

            ``norm_decay_mult``, ``bias_decay_mult``, ``flat_decay_mult`` (default 0: norms, biases, gates and scales do
            not decay), ``dwconv_decay_mult`` (default 1), ``bias_lr_mult`` (default 1; not of norms).

            ``head_lr_mult`` (float): Of row-sharded parameters. Default 1.

            ``decay_all`` (bool): Default 1 instead of 0 for all of these decays, as some published recipes do.
    """

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        self.wrapper_cfg = dict(copy.deepcopy(optim_wrapper_cfg))
        self.optimizer_cfg = dict(self.wrapper_cfg.pop('optimizer'))
        self.wrapper_cfg.setdefault('type', 'FaceOptimWrapper')
        self.paramwise = paramwise_cfg

    def groups(self, model):
        """The optimizer's parameter groups, with ``names``, ``lr_mult`` and ``decay_mult`` beside ``params``.

        Args:
            model (nn.Module): The model.

        Returns:
            list[dict]: Groups that hold at least one parameter.

        Raises:
            ValueError: If nothing learns, or ``paramwise_cfg`` does not fit.
        """
        rules, groups = ParamRules(model, self.paramwise), {}
        for name, module, parameter in trainable(model):
            rate, decay = rules(name, module, parameter)
            key = (row_shard(parameter) is not None, decay, rate)
            group = groups.setdefault(key, dict(params=[], names=[]))
            group['params'].append(parameter)
            group['names'].append(name)
        if not groups:
            raise ValueError('nothing learns: every parameter of the model is frozen')
        return [dict(groups[key], lr_mult=key[2], decay_mult=key[1]) for key in sorted(groups)]

    def __call__(self, model):
        """Build the optimizer wrapper.

        Args:
            model (nn.Module): The model, wrapped or not.

        Returns:
            FaceOptimWrapper: Or what ``type`` of the config says.

        Raises:
            ValueError: If a head samples its classes and the optimizer does not work by rows, the wrapper is another
                kind than FaceOptimWrapper, or a rate or decay is no number of at least 0.
        """
        kind = self.wrapper_cfg['type']
        kind = OPTIM_WRAPPERS.get(kind) if isinstance(kind, str) else kind
        if not issubclass(kind, FaceOptimWrapper):
            raise ValueError(f"optim_wrapper.type={kind.__name__!r} clips and scales each rank's gradients by "
                             'themselves, so that ranks drift apart: use FaceOptimWrapper, whose amp and clip_grad do '
                             'what that one does')
        for name in ('lr', 'weight_decay', 'momentum'):
            value = self.optimizer_cfg.get(name, 0)
            if isinstance(value, (int, float)) and not 0 <= value < (1 if name == 'momentum' else math.inf):
                raise ValueError(f'optim_wrapper.optimizer.{name} is {value}; it is at least 0'
                                 + (' and below 1' if name == 'momentum' else ''))
        model = model.module if is_model_wrapper(model) else model
        cfg = {**DEFAULTS.get(self.optimizer_cfg['type'], {}), **self.optimizer_cfg}
        optimizer = OPTIMIZERS.build(cfg, default_args=dict(params=self.groups(model)))
        for group in optimizer.param_groups:
            group['lr'] *= group['lr_mult']
            group['weight_decay'] = group.get('weight_decay', 0) * group['decay_mult']
        if hasattr(optimizer, 'attach'):  # one that is lazy about rows is asked for them by the head
            optimizer.attach(model)
        elif any(hasattr(m, 'row_hook') and getattr(m, 'sample_rate', 1) < 1 for m in model.modules()):
            raise ValueError(f"{cfg['type']} does not update the rows of a head with sample_rate < 1: {ROWS}")
        return OPTIM_WRAPPERS.build(dict(self.wrapper_cfg, optimizer=optimizer))
