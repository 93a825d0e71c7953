"""Learning rate schedules in closed form: warm-up, then polynomial decay or steps."""
from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler

from mlaface.registry import PARAM_SCHEDULERS


def build_schedule(cfg, optimizer, loop):
    """Build one schedule over a training.

    Args:
        cfg (dict): ``type`` and its arguments; ``convert_to_iter_based=True`` reads lengths in epochs and steps by
            iterations; ``end`` is that of the training unless stated.
        optimizer (OptimWrapper): Whose rate is scheduled.
        loop (FaceTrainLoop): Knows ``max_epochs``, ``max_iters``, ``epoch_length``.

    Returns:
        _ParamScheduler: The schedule.
    """
    cfg = dict(cfg)
    target = PARAM_SCHEDULERS.get(cfg.pop('type'))
    convert = cfg.pop('convert_to_iter_based', False)
    by_epoch = cfg.get('by_epoch', not issubclass(target, WarmupLR))
    if 'end' not in cfg:
        epochs = loop.max_iters / loop.epoch_length if convert else loop.max_epochs
        cfg['end'] = epochs if by_epoch else loop.max_iters
    if convert:
        return target.build_iter_from_epoch(optimizer, epoch_length=loop.epoch_length, **cfg)
    return target(optimizer, **cfg)


class WarmupLR(_ParamScheduler):
    """Linear warm-up, then what ``decay`` says; a value depends on the step alone, not on the values before it.

    Args:
        optimizer (Optimizer or OptimWrapper): Whose ``lr`` is set.
        warmup (float): Steps of warm-up; step ``t`` of them has ``(t + 1) / warmup`` of the base rate, and never more
            than it; a training that ends within them never reaches it.
        end (int): Steps of the whole schedule; the runner fills in those of the training.
        by_epoch (bool): Whether a step is an epoch; False: an iteration (one update of the weights).
    """

    def __init__(self, optimizer, warmup=0, end=INF, by_epoch=False):
        if not 0 <= warmup < INF:
            raise ValueError(f'warmup must be at least 0, got {warmup}')
        self.warmup = warmup
        super().__init__(optimizer, 'lr', begin=0, end=end, by_epoch=by_epoch)

    @classmethod
    def build_iter_from_epoch(cls, optimizer, epoch_length=None, warmup=0, end=INF, by_epoch=True, **arguments):
        """Build the schedule by iterations from lengths in epochs (``convert_to_iter_based=True``).

        Args:
            optimizer (Optimizer or OptimWrapper): Whose ``lr`` is set.
            epoch_length (int): Iterations of an epoch.
            warmup (float): Epochs of warm-up.
            end (int): Epochs of the schedule.
            by_epoch (bool): Must be True.
            arguments: What the class takes besides.

        Raises:
            ValueError: If ``by_epoch`` is False or ``epoch_length`` is not known.
        """
        if not by_epoch or not epoch_length:
            raise ValueError('convert_to_iter_based=True needs by_epoch=True and a training set of known length')
        end = end if end == INF else round(end * epoch_length)
        return cls(optimizer, warmup=round(warmup * epoch_length), end=end, by_epoch=False, **arguments)

    def seek(self, step):
        """Go to a step: the rate is that of this schedule there, whatever a checkpoint's optimizer had.

        Args:
            step (int): Steps done.
        """
        self.last_step = self._global_step = min(step, self.end - 1) - 1  # behind its end it keeps its last rate
        self.step()
        self._global_step = step

    def decay(self, step):
        """Share of the base rate at a step after the warm-up."""
        raise NotImplementedError

    def factor(self, step):
        """Share of the base rate at ``step`` (counted from 0)."""
        return min(1.0, (step + 1) / self.warmup) if step < self.warmup else self.decay(step)

    def _get_value(self):
        factor = self.factor(self.last_step)
        return [base * factor for base in self.base_values]


@PARAM_SCHEDULERS.register_module()
class WarmupPolyLR(WarmupLR):
    """Linear warm-up, then ``(1 - (t - warmup) / (end - warmup)) ** power``.

    The schedule of the published ArcFace recipes, with power 2.

    Args:
        optimizer (Optimizer or OptimWrapper): Whose ``lr`` is set.
        warmup (float): Steps of warm-up. Default 0.
        power (float): Exponent of the decay. Default 2.
        end (int): Steps of the whole schedule; filled in by the runner.
        by_epoch (bool): Whether a step is an epoch. Default False.
    """

    def __init__(self, optimizer, warmup=0, power=2.0, end=INF, by_epoch=False):
        if end == INF:
            raise ValueError('WarmupPolyLR decays towards an end: give end=STEPS')
        if not power >= 0:
            raise ValueError(f'WarmupPolyLR: power={power!r} would let the rate rise without end; it is at least 0')
        self.power = power
        super().__init__(optimizer, warmup, end, by_epoch)

    def decay(self, step):
        """Share of the base rate at a step after the warm-up."""
        return (1 - (step - self.warmup) / (self.end - self.warmup)) ** self.power


def _steps(milestones):
    if not isinstance(milestones, (list, tuple)) or not all(isinstance(step, (int, float)) for step in milestones):
        raise ValueError(f'WarmupStepLR: milestones={milestones!r}; write a list of numbers, [8, 14]')
    return sorted(milestones)


@PARAM_SCHEDULERS.register_module()
class WarmupStepLR(WarmupLR):
    """Linear warm-up, then a division at each milestone.

    Args:
        optimizer (Optimizer or OptimWrapper): Whose ``lr`` is set.
        milestones (list[float]): Steps from which the rate is multiplied by ``gamma`` once more.
        gamma (float): Default 0.1.
        warmup (float): Steps of warm-up. Default 0.
        end (int): Steps of the whole schedule; filled in by the runner.
        by_epoch (bool): Whether a step is an epoch. Default False.
    """

    def __init__(self, optimizer, milestones, gamma=0.1, warmup=0, end=INF, by_epoch=False):
        if not 0 < gamma < INF:
            raise ValueError(f'WarmupStepLR: gamma={gamma!r} multiplies the rate: it is above 0')
        self.milestones, self.gamma = _steps(milestones), gamma
        super().__init__(optimizer, warmup, end, by_epoch)

    @classmethod
    def build_iter_from_epoch(cls, optimizer, milestones, epoch_length=None, **arguments):
        """Build the schedule by iterations from milestones in epochs; see ``WarmupLR``."""
        steps = [round(epoch * (epoch_length or 0)) for epoch in _steps(milestones)]
        return super().build_iter_from_epoch(optimizer, epoch_length=epoch_length, milestones=steps, **arguments)

    def decay(self, step):
        """Share of the base rate at a step after the warm-up."""
        return self.gamma ** sum(step >= milestone for milestone in self.milestones)
