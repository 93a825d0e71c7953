"""The training loop, which owns iteration, epoch and position in the data."""
import itertools
import time
from contextlib import suppress

import torch
from mmengine.runner import BaseLoop

from mlaface.engine.batches import check_batches
from mlaface.engine.distributed import any_rank, average_statistics, barrier
from mlaface.engine.errors import ConfigError, Interrupted
from mlaface.engine.signals import StopSignal
from mlaface.registry import LOOPS
from mlaface.utils.errors import StoreError

NOT_DETERMINISTIC = 'does not have a deterministic implementation'  # so torch says it


def _mean(outputs):
    """What the micro-batches of an update gave, averaged; the values stay on their device."""
    if len(outputs) == 1:
        return outputs[0]
    return {key: torch.stack([output[key].detach().float() for output in outputs]).mean()
            for key, value in outputs[0].items() if torch.is_tensor(value)}


@LOOPS.register_module()
class FaceTrainLoop(BaseLoop):
    """Trains by iterations; an iteration is one update of the weights, of as many micro-batches as accumulate.

    Args:
        runner (FaceRunner): The runner.
        dataloader (DataLoader or dict): Gives the micro-batches of this rank.
        max_epochs (int, optional): Passes over the data; exclusive with ``max_iters``.
        max_iters (int, optional): Updates.
        val_interval (int, optional): Validate every so many updates, and at the end, which the interval need not
            divide: the weights that are kept have a score. None: after each epoch.

    Attributes:
        iter (int): Updates done. epoch (int): Passes completed.
        position (int): Images of the current pass that all ranks together have consumed.
        data_seconds (float): Time spent waiting for data, since the start.
    """

    val_begin = 1

    def __init__(self, runner, dataloader, max_epochs=None, max_iters=None, val_interval=None):
        if (max_epochs is None) == (max_iters is None):
            raise ValueError('train_cfg: give one of max_epochs and max_iters, and set the other to None where it is '
                             'inherited')
        for name, value in dict(max_epochs=max_epochs, max_iters=max_iters, val_interval=val_interval).items():
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f'train_cfg.{name} is {value!r}; it must be a whole number of at least 1')
        super().__init__(runner, dataloader)
        self.accumulate = runner.accumulative_counts
        self.epoch_length = len(self.dataloader) // self.accumulate
        if self.epoch_length == 0:
            raise ConfigError(f'train_dataloader: {len(self.dataloader.dataset)} images do not fill one update of '
                              f'{self.accumulate} batches of {self.dataloader.batch_size} on each of '
                              f'{runner.world_size} ranks')
        check_batches(self.dataloader, self.accumulate, runner.cfg)
        self.until_epoch = max_epochs
        self.max_iters = max_iters or max_epochs * self.epoch_length
        self.max_epochs = max_epochs or -(-max_iters // self.epoch_length)
        self.val_interval = val_interval
        self.iter = self.epoch = self.position = 0
        self.data_seconds = 0.0
        self.stop_training = False  # set by hooks that stop early
        self.random_state = None  # restored when the first batch of a resumed run is due
        self.signal = StopSignal()
        self.failed = None  # the StoreError that took the data away
        self._validated_at, self._validated_wholly = -1, True

    @property
    def micro_batch(self):
        """Images of one micro-batch over all ranks (int)."""
        return self.dataloader.batch_size * self.runner.world_size

    @property
    def fresh(self):
        """Whether no image has been learned from (bool); a place that is numbered 0 may lie behind some."""
        return self.iter == self.epoch == self.position == 0

    @property
    def limit(self):
        """The key of ``train_cfg`` that says where the training ends (str), and its value (int)."""
        return ('max_iters', self.max_iters) if self.until_epoch is None else ('max_epochs', self.until_epoch)

    @property
    def done(self):
        """Whether the training has come to its end (bool)."""
        by_epoch = self.until_epoch is not None and self.epoch >= self.until_epoch
        by_iter = self.until_epoch is None and self.iter >= self.max_iters
        return by_epoch or by_iter or self.stop_training

    def state_dict(self):
        """Iteration, epoch and position as plain numbers: what was consumed, not what was prefetched."""
        sampler = dict(epoch=self.epoch, position=self.position, seed=self.runner.seed)
        return dict(iter=self.iter, epoch=self.epoch, sampler=sampler, validated_at=self._validated_at,
                    validated_wholly=self._validated_wholly, global_batch=self.micro_batch * self.accumulate,
                    epoch_length=self.epoch_length)

    def load_state_dict(self, state):
        """Restore ``state_dict()``; with another global batch the iteration is that of the same images seen.

        In a training by epochs it is the one from which the updates that are left of the epoch lead to the epoch's end,
        so that the training has its count of updates, and the schedule its end, where the last epoch ends. An epoch may
        have other updates of the same global batch too: whether its last images make one says how it is put together.
        """
        self.epoch, self.position = state['epoch'], state['sampler']['position']
        ratio = state['global_batch'] / (self.micro_batch * self.accumulate)
        alike = ratio == 1 and state.get('epoch_length', self.epoch_length) == self.epoch_length
        if alike or self.until_epoch is None:
            self.iter = round(state['iter'] * ratio)
        else:
            self.iter = (self.epoch + 1) * self.epoch_length - self._updates_left()
        self._validated_at = self.iter if state['validated_at'] == state['iter'] else -1
        self._validated_wholly = state.get('validated_wholly', True)

    def _updates_left(self):
        """Updates from the current position to the end of the epoch (int)."""
        sampler, size = self.dataloader.sampler, self.dataloader.batch_size
        if self._go_to_position():
            images = sum(1 for _ in sampler)
            batches = images // size if self.dataloader.drop_last else -(-images // size)
        else:
            batches = len(self.dataloader) - self.position // self.micro_batch
        return batches // self.accumulate

    def run(self):
        """Train until the end, a signal, or a hook that sets ``stop_training``.

        Returns:
            nn.Module: The model.

        Raises:
            Interrupted: After a signal, when the checkpoint is written.
        """
        self.runner.call_hook('before_train')
        try:
            with self.signal.listening():
                while not self.done:
                    self._run_epoch()
            self._validate()
            self.runner.call_hook('save_point', last=True)
            self.runner.call_hook('after_train')
        finally:
            self.runner.call_hook('close')
        return self.runner.model

    def _batches(self):
        """The micro-batches from the current position of the current epoch on."""
        if self._go_to_position():
            return iter(self.dataloader)
        return itertools.islice(iter(self.dataloader), self.position // self.micro_batch, None)

    def _go_to_position(self):
        """Put the sampler where the loop stands; False where it knows epochs at most (bool)."""
        sampler = self.dataloader.sampler
        if hasattr(sampler, 'load_state_dict'):
            sampler.load_state_dict(dict(epoch=self.epoch, position=self.position, seed=self.runner.seed))
            return True
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(self.epoch)
        return False

    def _take(self, batches):
        """The micro-batches of the next update; none at the end of an epoch, whose remainder is dropped as ranks do."""
        start = time.perf_counter()
        try:
            taken = list(itertools.islice(batches, self.accumulate))
        except StoreError as error:
            self.failed, taken = error, []
        self.data_seconds += time.perf_counter() - start
        return taken if len(taken) == self.accumulate else []

    def _run_epoch(self):
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        batches = self._batches()
        if self.random_state is not None:
            self.runner.restore_random_state(self.random_state)
            self.random_state = None
        try:
            while not self.done:
                if not self.step(batches):
                    self._end_epoch()
                    return
        finally:  # an error's traceback holds the batches, and workers that wait for its end are waited for themselves
            with suppress(AttributeError):
                batches.close()

    def step(self, batches):
        """One update and what is due after it: validation, checkpoint, stop.

        Args:
            batches (Iterator[dict]): The epoch's micro-batches.

        Returns:
            bool: False if the epoch is over and nothing was done.

        Raises:
            StoreError: If a store fails, when the checkpoint is written.
        """
        micro_batches = self._take(batches)
        self._stop_without_data()
        if not micro_batches:
            return False
        self.run_iter(micro_batches)
        if self.val_interval and self.iter % self.val_interval == 0:
            self._validate()
        self.runner.call_hook('save_point', last=False)
        self._stop_if_asked()
        return True

    def run_iter(self, micro_batches):
        """One update of the weights.

        Args:
            micro_batches (list[dict]): Each ``images`` uint8 (N, 3, H, W) and ``labels`` (N,).
        """
        runner = self.runner
        runner.call_hook('before_train_iter', batch_idx=self.iter, data_batch=micro_batches[0])
        if hasattr(runner.optim_wrapper, 'begin_update'):
            runner.optim_wrapper.begin_update(len(micro_batches))
        outputs = []
        for data in micro_batches:
            self.batch = runner.to_device(data)
            try:
                outputs.append(runner.model.train_step(self.batch, optim_wrapper=runner.optim_wrapper))
            except ValueError as error:
                runner.call_hook('on_step_error', error=error)
                raise
            except RuntimeError as error:
                if NOT_DETERMINISTIC not in str(error):
                    raise
                operator = str(error).partition(NOT_DETERMINISTIC)[0]
                raise ConfigError(f'randomness.deterministic=True: {operator}{NOT_DETERMINISTIC} on this device; leave '
                                  'out what needs it, or set randomness.deterministic=False') from error
        average_statistics(runner.bare_model)
        images = getattr(self.dataloader.sampler, 'images', float('inf'))  # a last batch may be shorter
        self.position = min(self.position + self.micro_batch * len(micro_batches), images)
        runner.call_hook('after_train_iter', batch_idx=self.iter, data_batch=self.batch, outputs=_mean(outputs))
        self.iter += 1

    def _end_epoch(self):
        self.epoch, self.position = self.epoch + 1, 0
        self.runner.call_hook('after_train_epoch')
        barrier()  # for a rank that measures or writes alone
        if not self.val_interval:
            self._validate()
        self.runner.call_hook('save_point', last=False)

    def _validate(self):
        """Validate once at an iteration, however many reasons there are; wholly where it turns out to be the last."""
        if self.runner.val_loop is not None and (
                self._validated_at != self.iter or self.done and not self._validated_wholly):
            self._validated_at, self._validated_wholly = self.iter, getattr(self.runner.val_loop, 'last', True)
            try:
                self.runner.val_loop.run()
            except Exception:
                if self.runner.world_size == 1:  # of several ranks the others may be elsewhere
                    self._validated_at = -1
                    self.runner.call_hook('save_point', last=True)
                raise
            self.runner.model.train()

    def _stop_without_data(self):
        """End all ranks in the same place, with a checkpoint, if the store of one of them has failed."""
        if not getattr(self.dataloader.dataset, 'remote', False):  # the others do not ask
            if self.failed is not None:
                raise self.failed
        elif any_rank(self.failed is not None, self.runner.communication_device):
            if not self.fresh:
                self.runner.call_hook('save_point', last=True)
            why = self.failed or 'another rank has no more data: its store fails'
            error = StoreError(f'{why}. Stopped after iteration {self.iter}' + (
                f'; the checkpoint is written. Continue with: {self.runner.resume_command}' if not self.fresh else ''))
            error.vague = self.failed is None
            raise error

    def _stop_if_asked(self):
        number = self.signal.agreed(self.iter, self.runner.communication_device)
        if number:
            self.runner.call_hook('save_point', last=True)
            self.runner.logger.warning(f'stopped by signal {number} after iteration {self.iter}; the checkpoint is '
                                       f'written. Continue with: {self.runner.resume_command}')
            raise Interrupted(128 + number)
