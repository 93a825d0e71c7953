"""Which learning rate and which weight decay each parameter gets: the rules of ``paramwise_cfg``."""
import math

from torch import nn

from mlaface.registry import nearest
from mlaface.utils.sharding import row_shard

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)
DECAYS = dict(norm='norm_decay_mult', bias='bias_decay_mult', flat='flat_decay_mult', dwconv='dwconv_decay_mult')
OPTIONS = dict(custom_keys={}, layer_decay=1.0, head_lr_mult=1.0, bias_lr_mult=1.0, norm_decay_mult=0.0,
               bias_decay_mult=0.0, flat_decay_mult=0.0, dwconv_decay_mult=1.0, decay_all=False)
MULTIPLIERS = ('lr_mult', 'decay_mult')
SHOWN = 8


def trainable(model):
    """Yield ``(name, module, parameter)`` of each parameter that learns, once."""
    seen = set()
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and id(parameter) not in seen:
                seen.add(id(parameter))
                yield f'{prefix}.{name}'.lstrip('.'), module, parameter


def kind_of(module, name, parameter):
    """What a parameter is to weight decay, which is good for matrices, kernels and class centres only.

    Args:
        module (nn.Module): The module that holds it.
        name (str): Its name in the module.
        parameter (Parameter): The parameter.

    Returns:
        str or None: ``'norm'``, ``'bias'``, ``'dwconv'`` (kernel of a depthwise convolution), ``'flat'`` (one value a
        channel or one in all: gates, learnable scales and margins; not PReLU slopes, which are weights); None for a
        weight.
    """
    if isinstance(module, NORMS):
        return 'norm'
    if name.endswith('bias'):
        return 'bias'
    if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
        return 'dwconv'
    flat = parameter.ndim < 2 or parameter.numel() < 2
    return 'flat' if flat and not isinstance(module, nn.PReLU) else None


class ParamRules:
    """The multipliers of each parameter.

    Args:
        model (nn.Module): Not wrapped.
        paramwise (dict, optional): See ``FaceOptimWrapperConstructor``.

    Raises:
        ValueError: If an option or a key is unknown, or a multiplier is no number of at least 0; names the nearest.
    """

    def __init__(self, model, paramwise=None):
        given = dict(paramwise or {})
        _refuse_unknown('paramwise_cfg', given, OPTIONS)
        self.options = {**OPTIONS, **given}
        if self.options['decay_all']:
            self.options.update({name: 1.0 for name in DECAYS.values() if name not in given})
        for name, value in self.options.items():
            if name not in ('custom_keys', 'decay_all'):
                _check_multiplier(f'paramwise_cfg.{name}', value)
        if not 0 < self.options['layer_decay'] <= 1:
            raise ValueError(f'paramwise_cfg.layer_decay is {self.options["layer_decay"]}; it is above 0 and at most 1')
        self.custom = self.options['custom_keys']
        self._check_custom([name for name, _ in model.named_parameters()])
        self.keys = sorted(sorted(self.custom), key=len, reverse=True)  # MMEngine's order
        self.depths = layer_depths(model) if self.options['layer_decay'] != 1 else {}

    def _check_custom(self, names):
        known = {'.'.join(name.split('.')[start:stop]) for name in names
                 for start in range(name.count('.') + 1) for stop in range(start + 1, name.count('.') + 2)}
        for key, entry in self.custom.items():
            where = f'paramwise_cfg.custom_keys[{key!r}]'
            if not isinstance(entry, dict):
                raise ValueError(f'{where} must be dict(lr_mult=..., decay_mult=...), got {entry!r}')
            _refuse_unknown(where, entry, MULTIPLIERS)
            for name, value in entry.items():
                _check_multiplier(f'{where}.{name}', value)
            if not any(key in name for name in names):
                close = nearest(key, known)
                raise ValueError(f'{where}: no parameter has this in its name'
                                 + (f'; did you mean {close!r}?' if close else ''))

    def __call__(self, name, module, parameter):
        """``(lr_mult, decay_mult)`` of a parameter."""
        kind, options = kind_of(module, name.rpartition('.')[2], parameter), self.options
        custom = next((self.custom[key] for key in self.keys if key in name), {})
        rate = options['bias_lr_mult'] if kind == 'bias' else 1.0
        rate *= options['head_lr_mult'] if row_shard(parameter) is not None else 1.0
        decay = options[DECAYS[kind]] if kind else 1.0
        depth = self.depths.get(id(parameter), 0)
        return custom.get('lr_mult', rate) * options['layer_decay'] ** depth, custom.get('decay_mult', decay)


def layer_depths(model):
    """How far below the neck each parameter of the backbone lies, in stages: the last stage 1, the stem the most.

    Args:
        model (nn.Module): Its ``backbone`` has ``stages()``.

    Returns:
        dict[int, int]: Depth by the parameter's ``id``; what is not there has depth 0.

    Raises:
        ValueError: If the backbone does not tell its stages.
    """
    stages = getattr(getattr(model, 'backbone', None), 'stages', None)
    if stages is None:
        raise ValueError('paramwise_cfg.layer_decay needs a backbone with stages(): derive it from '
                         'mlaface.models.backbones.base.Backbone')
    stages = stages()
    return {id(parameter): len(stages) - number for number, stage in enumerate(stages)
            for module in stage for parameter in module.parameters()}


def describe_groups(optimizer, model):
    """Who learns at which rate, as a short table.

    Args:
        optimizer (Optimizer): Of ``FaceOptimWrapperConstructor``.
        model (nn.Module): Not wrapped.

    Returns:
        str: A line a group; and one of what is frozen, if anything is.
    """
    lines = ['learning rate  weight decay      values  parameters of']
    for group in optimizer.param_groups:
        size = sum(_whole(parameter) for parameter in group['params'])
        rate = group.get('initial_lr', group['lr'])  # a schedule has set lr to that of its first step
        lines.append(f'{rate:13.4g}  {group["weight_decay"]:12.4g}  {size:10,}  {_parts(group["names"])}')
    frozen = {name: p.numel() for name, p in model.named_parameters() if not p.requires_grad}
    if frozen:
        lines.append(f'{"frozen":>13}  {"-":>12}  {sum(frozen.values()):10,}  {_parts(frozen)}')
    return '\n'.join(lines)


def _whole(parameter):
    """Values of a parameter over all ranks."""
    shard = row_shard(parameter)
    return parameter.numel() if shard is None else parameter[:1].numel() * shard.total


def _parts(names):
    """The parts of the model that names belong to, in their order: of the backbone its children."""
    parts = dict.fromkeys('.'.join(name.split('.')[:2 if name.startswith('backbone.') else 1]) for name in names)
    more = f' and {len(parts) - SHOWN} more' if len(parts) > SHOWN else ''
    return ', '.join(list(parts)[:SHOWN]) + more


def _check_multiplier(where, value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f'{where} is {value!r}; it multiplies: a number of at least 0')


def _refuse_unknown(where, given, known):
    for name in given:
        if name not in known:
            close = nearest(str(name), known)
            raise ValueError(f'{where} has no {name!r}' + (f'; did you mean {close!r}?' if close else '.')
                             + f' It takes: {", ".join(known)}')
