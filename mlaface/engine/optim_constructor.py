"""Which parameters decay, and how fast each group learns."""
import copy

from mmengine.model import is_model_wrapper
from torch import nn

from mlaface.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from mlaface.utils.sharding import row_shard

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)
DEFAULTS = dict(SGD=dict(momentum=0.9), RowSGD=dict(momentum=0.9))


def decays(module, name, parameter):
    """Whether weight decay is good for a parameter: only for matrices, kernels and class centres.

    Args:
        module (nn.Module): The module that holds it.
        name (str): Its name in the module.
        parameter (Parameter): Norm layers' parameters, biases, and what has one value per channel or one in all
            (PReLU slopes apart, which are weights) do not decay: gates, learnable scales and margins among them.
    """
    if isinstance(module, NORMS) or name.endswith('bias'):
        return False
    return isinstance(module, nn.PReLU) or (parameter.ndim > 1 and parameter.numel() > 1)


def trainable(model):
    """Yield ``(name, module, parameter)`` of each parameter that learns, once."""
    seen = set()
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and id(parameter) not in seen:
                seen.add(id(parameter))
                yield f'{prefix}.{name}'.lstrip('.'), module, parameter


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class FaceOptimWrapperConstructor:
    """Builds the optimizer over at most four groups, so that its fused or batched update stays fast.

    Args:
        optim_wrapper_cfg (dict): ``dict(type='FaceOptimWrapper', optimizer=dict(type='SGD', lr=...), ...)``. SGD and
            RowSGD get a momentum of 0.9 unless one is stated.
        paramwise_cfg (dict, optional): ``head_lr_mult`` (float): factor of the learning rate of row-sharded
            parameters; ``decay_all`` (bool): let everything decay, as some published recipes do.
    """

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        self.wrapper_cfg = dict(copy.deepcopy(optim_wrapper_cfg))
        self.optimizer_cfg = dict(self.wrapper_cfg.pop('optimizer'))
        self.wrapper_cfg.setdefault('type', 'FaceOptimWrapper')
        self.paramwise = dict(head_lr_mult=1.0, decay_all=False)
        unknown = set(paramwise_cfg or {}) - set(self.paramwise)
        if unknown:
            raise ValueError(f'paramwise_cfg has no {sorted(unknown)}; it takes {sorted(self.paramwise)}')
        self.paramwise.update(paramwise_cfg or {})

    def groups(self, model):
        """The optimizer's parameter groups, with ``names`` beside ``params``.

        Args:
            model (nn.Module): The model.

        Returns:
            list[dict]: Groups that hold at least one parameter.
        """
        groups = {}
        for name, module, parameter in trainable(model):
            key = (row_shard(parameter) is not None,
                   self.paramwise['decay_all'] or decays(module, name.rpartition('.')[2], parameter))
            group = groups.setdefault(key, dict(params=[], names=[]))
            group['params'].append(parameter)
            group['names'].append(name)
        return [self._with_options(key, groups[key]) for key in sorted(groups)]

    def _with_options(self, key, group):
        sharded, decay = key
        if sharded and self.paramwise['head_lr_mult'] != 1.0:
            group['lr'] = self.optimizer_cfg['lr'] * self.paramwise['head_lr_mult']
        if not decay:
            group['weight_decay'] = 0.0
        return group

    def __call__(self, model):
        """Build the optimizer wrapper.

        Args:
            model (nn.Module): The model, wrapped or not.

        Returns:
            FaceOptimWrapper: Or what ``type`` of the config says.

        Raises:
            ValueError: If a head samples its classes and the optimizer does not work by rows.
        """
        model = model.module if is_model_wrapper(model) else model
        cfg = {**DEFAULTS.get(self.optimizer_cfg['type'], {}), **self.optimizer_cfg}
        optimizer = OPTIMIZERS.build(cfg, default_args=dict(params=self.groups(model)))
        if hasattr(optimizer, 'attach'):  # one that is lazy about rows is asked for them by the head
            optimizer.attach(model)
        elif any(hasattr(m, 'row_hook') and getattr(m, 'sample_rate', 1) < 1 for m in model.modules()):
            raise ValueError(f"{cfg['type']} does not update the rows of a head with sample_rate < 1: set "
                             "optim_wrapper.optimizer.type to 'RowSGD' or 'RowAdamW', which are SGD and AdamW by rows")
        return OPTIM_WRAPPERS.build(dict(self.wrapper_cfg, optimizer=optimizer))
