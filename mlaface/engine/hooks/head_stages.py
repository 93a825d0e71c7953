"""A head that changes in the course of a training: its share of classes, its margin, the weights of its losses."""
from mmengine.hooks import Hook

from mlaface.engine.errors import ConfigError
from mlaface.engine.optim_constructor import ROWS
from mlaface.registry import HOOKS, MARGINS, check_arguments

PLAIN = (int, float, bool, str, tuple, type(None))


@HOOKS.register_module()
class HeadStagesHook(Hook):
    """Sets the head's ``sample_rate``, arguments of its margin and weights of its losses at stated points.

    ``stages=[dict(iters=0, sample_rate=0.1), dict(epochs=10, weights=dict(centroid_penalty=1.0)),
    dict(epochs=15, sample_rate=1.0)]`` has the order of LVFace (You et al., ICCV 2025): first a share of the negatives,
    then a penalty that holds the centres, then all classes. What a stage does not state stays as it was before. The
    stage is a function of the iteration alone, so that a run may be resumed anywhere.

    A share of classes below 1 needs an optimizer that updates rows, as ``RowSGD``.

    Args:
        stages (Sequence[dict]): Each with ``iters`` (updates) or ``epochs`` (passes over the data) at which it begins,
            in ascending order, and any of ``sample_rate`` (float), ``margin`` (dict of arguments), ``weights`` (of the
            head's losses, dict: name to weight).

    Raises:
        ConfigError: If a stage is not written like this.
    """

    def __init__(self, stages):
        if isinstance(stages, dict) or not stages or not all(isinstance(stage, dict) for stage in stages):
            raise ConfigError(f'HeadStagesHook: stages is {stages!r}; write [dict(iters=0, sample_rate=0.1), ...]')
        for number, stage in enumerate(stages):
            check_arguments(_stage, stage, f'HeadStagesHook: stages[{number}]: ')
            begin = stage.get('epochs') if stage.get('iters') is None else stage['iters']
            if (stage.get('iters') is None) == (stage.get('epochs') is None) or begin < 0 or len(stage) < 2:
                raise ConfigError(f'HeadStagesHook: stages[{number}] is {stage}; give one of iters and epochs, at '
                                  'least 0, and what changes')
        self.stages, self._now = [dict(stage) for stage in stages], 0

    def before_train(self, runner):
        """Check the stages against the head, and set the one that the run is in.

        Raises:
            ConfigError: If they do not ascend, or the head has nothing that a stage sets.
        """
        loop, self._head, self._now = runner.train_loop, runner.bare_model.head, 0
        self._starts = [stage['iters'] if stage.get('epochs') is None else round(stage['epochs'] * loop.epoch_length)
                        for stage in self.stages]
        if self._starts != sorted(set(self._starts)):
            raise ConfigError(f'HeadStagesHook: the stages begin at iterations {self._starts}; they must ascend')
        if (late := [start for start in self._starts if start >= loop.max_iters]):
            runner.logger.warning(f'HeadStagesHook: the run ends at iteration {loop.max_iters}; the stages that begin '
                                  f'at {", ".join(map(str, late))} never do')
        if not hasattr(self._head, 'set_sample_rate'):
            raise ConfigError(f'HeadStagesHook: a {type(self._head).__name__} has no stages; use a MarginHead')
        weights = dict(getattr(self._head.terms, 'weights', {}))
        self._settings = [dict(sample_rate=self._head.sample_rate, margin={}, weights=weights)]
        for number, stage in enumerate(self.stages):
            self._settings.append(self._after(self._settings[-1], stage, number))
        optimizer = runner.optim_wrapper.optimizer
        if min(setting['sample_rate'] for setting in self._settings) < 1 and not hasattr(optimizer, 'attach'):
            raise ConfigError(f'HeadStagesHook: {type(optimizer).__name__} does not update the rows of a head with '
                              f'sample_rate < 1: {ROWS}')
        margin = runner.cfg.model.head.get('margin') or dict(type='ArcFace', s=64.0, m=0.5)
        self._margins = [self._margin(margin, setting['margin'], number - 1)
                         for number, setting in enumerate(self._settings)]
        self._go_to(runner, loop.iter)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        """Begin the stage that is due."""
        self._go_to(runner, batch_idx)

    @staticmethod
    def _after(setting, stage, number):
        """What holds in a stage, from what held before it."""
        rate, weights = stage.get('sample_rate', setting['sample_rate']), stage.get('weights') or {}
        if not 0 < rate <= 1:
            raise ConfigError(f'HeadStagesHook: stages[{number}].sample_rate must lie in (0, 1], got {rate}')
        for name, weight in weights.items():
            if name not in setting['weights'] or weight < 0:
                raise ConfigError(f'HeadStagesHook: stages[{number}].weights: {name}={weight}; the head has the losses '
                                  f'{", ".join(setting["weights"]) or "none"}, with weights of at least 0')
        return dict(sample_rate=rate, margin={**setting['margin'], **(stage.get('margin') or {})},
                    weights={**setting['weights'], **weights})

    def _margin(self, config, changes, number):
        """The numbers of a margin with some arguments changed, by attribute (dict)."""
        try:
            check_arguments(MARGINS.get(config['type']), changes)
            margin = MARGINS.build({**config, **changes})
            margin.set_num_classes(self._head.num_classes, 1)  # some depend on it
        except (TypeError, ValueError) as error:
            raise ConfigError(f'HeadStagesHook: stages[{number}].margin: {error}') from error
        return {key: value for key, value in vars(margin).items() if isinstance(value, PLAIN)}

    def _go_to(self, runner, iteration):
        """Set the stage of an iteration, if it is another than that now."""
        due = sum(start <= iteration for start in self._starts)
        if due == self._now:
            return
        setting, before, after = self._settings[due], self._margins[self._now], self._margins[due]
        if setting['sample_rate'] != self._head.sample_rate:
            self._head.set_sample_rate(setting['sample_rate'])
        for key, value in after.items():
            if before.get(key) != value:
                setattr(self._head.margin, key, value)
        if self._head.terms is not None:
            self._head.terms.weights.update(setting['weights'])
        self._now = due
        changed = {key: value for key, value in self.stages[due - 1].items() if key not in ('iters', 'epochs')}
        runner.logger.info(f'stage {due} of {len(self.stages)} of the head from iteration {self._starts[due - 1]} on: '
                           + ', '.join(f'{key}={value}' for key, value in changed.items()))


def _stage(iters=None, epochs=None, sample_rate=None, margin=None, weights=None):
    """The keys of a stage."""
