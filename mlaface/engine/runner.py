"""The runner: MMEngine's, with flat work directories, checkpoints that are whole or absent, and exact resume."""
import contextlib
import copy
import gc
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from mmengine.device import get_device
from mmengine.model import is_model_wrapper, revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import distributed
from torch.nn.modules.batchnorm import _BatchNorm

from mlaface.engine.batches import batches_without_pairs
from mlaface.engine.checkpoint import random_state, store, training
from mlaface.engine.data import build_dataloader
from mlaface.engine.distributed import any_rank, join_ranks, let_wait
from mlaface.engine.environment import commit, describe_environment
from mlaface.engine.errors import CheckpointError, ConfigError, refusals
from mlaface.engine.faults import shared_faults
from mlaface.engine.history import History
from mlaface.engine.param_groups import describe_groups
from mlaface.engine.schedules import build_schedule
from mlaface.engine.visualizer import build_visualizer
from mlaface.engine.withheld import release, withhold
from mlaface.registry import MODEL_WRAPPERS, RUNNERS
from mlaface.utils.configs import config_text
from mlaface.utils.errors import ArgumentError, UserError
from mlaface.utils.files import atomic_path
from mlaface.utils.memory import keep_freed_memory
from mlaface.utils.sharding import row_shard

DEFAULT_HOOKS = dict(divergence=dict(type='DivergenceHook'), param_scheduler=dict(type='ParamSchedulerHook'),
                     logger=dict(type='FaceLogHook'), results=dict(type='ResultHook'),
                     checkpoint=dict(type='FaceCheckpointHook'), silent=dict(type='SilentParameterHook'))
LOCK = '.training.lock'
LOCK_SECONDS = 15  # data workers of a killed training hold it until they see that it is gone, after 5
LATEST = 'latest'  # of ``resume``: the latest good checkpoint of the work directory, else begin from ``load_from``
FEW_PAIRS = 0.25  # share of batches without any, from which it is said
SAMPLING_PAYS_FROM = 300_000  # classes on 8 GPUs; docs/scale.md has the figures


def init_centers_hook(source):
    """The hook that a config's ``init_centers`` asks for.

    Args:
        source (str): ``'class_means'``, or a file that ``mlaface centers`` wrote.

    Returns:
        dict: Its config.

    Raises:
        ConfigError: If it is neither.
    """
    if source == 'class_means':
        return dict(type='ClassMeansHook')
    if not isinstance(source, str) or not source.endswith('.safetensors'):
        raise ConfigError(f"init_centers={source!r}: say 'class_means', or FILE.safetensors of "
                          'mlaface centers')
    return dict(type='InitCentersHook', file=source)


@RUNNERS.register_module()
class FaceRunner(Runner):
    """Trains, validates and tests what a config describes. Built with ``FaceRunner.from_cfg(config)``.

    Work directory: ``config.py``, ``log.txt``, ``scalars.jsonl``, ``curves.png``, ``metrics.json``, checkpoints.

    Attributes:
        history (History): Every number that was logged.
        commit (str): The code's commit, '' where there is none.
        loaded (bool): Whether the weights are those of a file.
    """

    loaded = False
    _config_written = False
    _earlier_config = None  # bytes of the file that this run's config replaced

    def __init__(self, *args, **arguments):
        with contextlib.ExitStack() as self._building:  # from when there are ranks on: ``setup_env``
            super().__init__(*args, **arguments)

    @property
    def timestamp(self):
        """Empty: MMEngine puts logs into a folder of this name below the work directory, we do not."""
        return ''

    @property
    def bare_model(self):
        """The recognizer without a wrapper (nn.Module)."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    @property
    def accumulative_counts(self):
        """Micro-batches of one update (int)."""
        wrapper = self.optim_wrapper
        if isinstance(wrapper, dict):
            return int(wrapper.get('accumulative_counts', 1))
        return getattr(wrapper, 'accumulative_counts', 1)

    @property
    def communication_device(self):
        """Where the process group's backend communicates (str)."""
        return 'cpu' if not self.distributed or distributed.get_backend() == 'gloo' else get_device()

    @property
    def resume_command(self):
        """What to type to continue this run (str)."""
        program = 'mlaface train' if Path(sys.argv[0]).stem == 'mlaface' else 'python tools/train.py'
        return f'{program} {Path(self.work_dir) / "config.py"} --work-dir {self.work_dir} --resume'

    # --- building -------------------------------------------------------------------------------------------------

    def setup_env(self, env_cfg):
        """Processes and threads as the config says; gloo where there is no GPU."""
        env_cfg = copy.deepcopy(dict(env_cfg))
        if (self.cfg.get('randomness') or {}).get('deterministic'):
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')  # without it torch refuses cuBLAS
        seconds = (env_cfg.get('dist_cfg') or {}).get('timeout')
        if seconds is not None and not (isinstance(seconds, (int, float)) and seconds > 0):
            raise ConfigError(f'env_cfg.dist_cfg.timeout is {seconds!r}. Write seconds, a number above 0')
        if not torch.cuda.is_available():
            keep_freed_memory()
            env_cfg['dist_cfg'] = dict(env_cfg.get('dist_cfg', {}), backend='gloo')
            if self._launcher in ('pytorch', 'slurm') and not distributed.is_initialized():
                where = {} if seconds is None else dict(timeout=timedelta(seconds=seconds))
                join_ranks('gloo', **where)  # MMEngine's own way sets a CUDA device first
        super().setup_env(env_cfg)
        let_wait()
        self._building.enter_context(shared_faults())

    def build_logger(self, log_level='INFO', log_file=None):
        """The logger, into ``log.txt`` of the work directory; appended to, so that a resumed run continues it.

        The file gets nothing until training is prepared, when ``train`` holds the directory: it may be that of another
        training, which goes on there.
        """
        self.commit = commit()
        self._measure_log()
        self.history = History(Path(self.work_dir) / 'scalars.jsonl' if self._rank == 0 else None)
        logger = super().build_logger(log_level, log_file or os.path.join(self.work_dir, 'log.txt'))
        withhold(logger)
        return logger

    def _measure_log(self):
        log = Path(self.work_dir, 'log.txt')
        self._earlier_log = log.stat().st_size if log.is_file() else 0

    def _log_env(self, env_cfg):
        self.logger.info(describe_environment(self))

    def build_visualizer(self, visualizer=None):
        """The visualizer; without a config one that keeps nothing, since ``history`` keeps all numbers.

        MMEngine tells it the config at once, on which backends open their files. One that keeps nothing stands in for
        it until ``load_or_resume`` has set aside what an earlier run left where they lie.
        """
        self._visualizer = build_visualizer(visualizer, self.experiment_name, self._log_dir)
        return Visualizer(name='until the run begins')

    def _open_visualizer(self):
        self.visualizer = self._visualizer
        self.visualizer.add_config(self.cfg)

    def dump_config(self):
        """Write the config as it is used to ``config.py`` of the work directory.

        A training that goes on there keeps its own: ``train`` waits for its end, and writes then.
        """
        if self.rank == 0:
            with contextlib.suppress(Timeout), self._locked(seconds=0):
                self._write_config()

    def _write_config(self):
        path = Path(self.work_dir, 'config.py')
        self._earlier_config = path.read_bytes() if path.is_file() else None
        with atomic_path(path) as temporary:
            temporary.write_text(config_text(self.cfg), encoding='utf-8')
        self._config_written = True

    def wrap_model(self, model_wrapper_cfg, model):
        """Move the model to its device, and wrap it where there are several ranks."""
        model = model.to(get_device())
        if not self.distributed:
            return revert_sync_batchnorm(model)
        if self.cfg.get('sync_bn'):
            model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return self._parallel(model)

    def _parallel(self, model):
        """The model wrapped for several ranks; unwrapped where it has no gradient to share, which DDP refuses."""
        if not any(p.requires_grad and row_shard(p) is None for p in model.parameters()):
            return model
        cfg = dict(self.cfg.get('model_wrapper_cfg') or {})
        cfg.setdefault('type', 'FaceDistributedDataParallel')
        device = next(model.parameters()).device  # where a rank sees one GPU alone, its number is not the rank's
        return MODEL_WRAPPERS.build(cfg, default_args=dict(module=model, device_ids=[device.index or 0]))

    def wrap_again(self):
        """Wrap the model anew on all ranks: what learns is noted when a wrapper is made, and has changed since."""
        if self.distributed:
            model, self.model = self.bare_model, None
            gc.collect()  # the old wrapper's hooks on the gradients go with it
            self.model = self._parallel(model)

    def build_dataloader(self, dataloader, seed=None, diff_rank_seed=False):
        """Build a loader; the training set that was opened to count its classes is used, not opened again."""
        training = dataloader is self._train_dataloader
        dataset = getattr(self, 'train_dataset', None) if training else None
        return build_dataloader(dataloader, self.seed if seed is None else seed, dataset, training)

    def build_optim_wrapper(self, optim_wrapper):
        """Build the optimizer over named groups (``FaceOptimWrapperConstructor``)."""
        if isinstance(optim_wrapper, dict):
            cfg = {'constructor': 'FaceOptimWrapperConstructor', **optim_wrapper}
            return build_optim_wrapper(self.model, cfg)
        return super().build_optim_wrapper(optim_wrapper)

    def scale_lr(self, optim_wrapper, auto_scale_lr=None):
        """Scale learning rates by images of one update over ``base_batch_size`` (Goyal et al., 2017)."""
        if not (auto_scale_lr or {}).get('enable', False):
            return
        base = auto_scale_lr.get('base_batch_size')
        if not base:
            raise ConfigError('auto_scale_lr needs base_batch_size: the images of one update that lr is meant for')
        batch = self.train_loop.micro_batch * self.train_loop.accumulate
        self.logger.info(f'learning rate times {batch}/{base} = {batch / base:g}: {batch} images an update')
        for group in optim_wrapper.optimizer.param_groups:
            group['lr'] *= batch / base

    def _build_param_scheduler(self, scheduler, optim_wrapper):
        schedules = scheduler if isinstance(scheduler, (list, tuple)) else [scheduler]
        return [build_schedule(cfg, optim_wrapper, self.train_loop) for cfg in schedules]

    def register_default_hooks(self, hooks=None):
        """Register ``DEFAULT_HOOKS``, changed by ``hooks``: a name set to None is left out."""
        for hook in {**copy.deepcopy(DEFAULT_HOOKS), **(hooks or {})}.values():
            if hook is not None:
                self.register_hook(hook)

    def register_hook(self, hook, priority=None):
        """Register a hook as MMEngine does; where it refuses its arguments it is named."""
        try:
            super().register_hook(hook, priority)
        except (TypeError, ValueError) as error:
            if isinstance(error, UserError) or not isinstance(hook, dict):
                raise
            raise ArgumentError(f'{hook["type"]}: {error}') from error

    def register_hooks(self, default_hooks=None, custom_hooks=None):
        """Register the default hooks, those of the config, and the one that ``init_centers`` asks for."""
        super().register_hooks(default_hooks, custom_hooks)
        source = self.cfg.get('init_centers')
        if source is not None:
            self.register_hook(init_centers_hook(source))

    def get_hooks_info(self):
        """The hooks in their order, for the log, in one line (str)."""
        return ', '.join(type(hook).__name__ for hook in self._hooks)

    def call_hook(self, fn_name, **kwargs):
        """Call the hooks that do something at this point; what the others are is found out once."""
        calls = self.__dict__.setdefault('_calls', {})
        if fn_name not in calls or calls[fn_name][0] != len(self._hooks):
            from mmengine.hooks import Hook
            idle = getattr(Hook, fn_name, None)
            calls[fn_name] = (len(self._hooks), [getattr(hook, fn_name) for hook in self._hooks
                                                 if getattr(type(hook), fn_name, idle) is not idle])
        for call in calls[fn_name][1]:
            call(self, **kwargs)

    # --- running --------------------------------------------------------------------------------------------------

    def _init_model_weights(self):
        model = self.bare_model
        if hasattr(model, 'init_weights'):
            model.init_weights()
        if self.distributed:
            for tensor in [*model.parameters(), *model.buffers()]:
                if row_shard(tensor) is None:
                    distributed.broadcast(tensor.detach(), src=0)

    def train(self):
        """Train as the config says, from the start or from where a checkpoint was written.

        Returns:
            nn.Module: The trained model.

        Raises:
            RankError: If another rank failed; within seconds.
        """
        with shared_faults(), self._alone():
            with refusals(self.cfg.filename or 'config'):
                self.prepare_training()
            model = self.train_loop.run()
            self.call_hook('after_run')
        return model

    @contextlib.contextmanager
    def _locked(self, seconds):
        """Hold the work directory's lock, for which ``seconds`` are waited; ``Timeout`` if it is not let go of."""
        lock = FileLock(Path(self.work_dir) / LOCK)
        try:
            lock.acquire(timeout=seconds)
        except (OSError, NotImplementedError) as error:  # a file system without locks
            if isinstance(error, Timeout):
                raise
            self.logger.info(f'{self.work_dir} cannot be locked ({error}): see that no other training writes there')
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _alone(self):
        """Hold the work directory: of two trainings in one each would take the other's checkpoints for its own."""
        with contextlib.ExitStack() as held:
            taken = False
            if self.rank == 0:
                try:
                    held.enter_context(self._locked(LOCK_SECONDS))
                except Timeout:
                    taken = True
            if any_rank(taken, self.communication_device):
                raise ConfigError(f'another training writes to {self.work_dir}: wait for its end, stop it, or give '
                                  'another --work-dir')
            self._measure_log()
            if self.rank == 0 and not self._config_written:
                self._write_config()
            yield

    def prepare_training(self):
        """Build loop, optimizer and schedules, and load the checkpoint that is to be continued, if any."""
        release(self.logger)
        if self._train_loop is None:
            raise ConfigError('nothing to train: the config has no train_dataloader, train_cfg and optim_wrapper')
        self._train_loop = self.build_train_loop(_typed(self._train_loop, 'FaceTrainLoop'))
        if self._val_loop is not None:
            self._val_loop = self.build_val_loop(_typed(self._val_loop, 'FaceValLoop'))
        self._init_model_weights()
        self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        self.scale_lr(self.optim_wrapper, self.auto_scale_lr)
        if self.param_schedulers is not None:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        self._say_what_sampling_gains()
        self._say_who_learns()
        self._warn_of_missing_pairs()
        torch.manual_seed(self.seed + self.rank)  # dropout masks differ between ranks
        self.call_hook('before_run')
        self.load_or_resume()

    def _say_what_sampling_gains(self):
        """Log that sampling classes gains little, where it does: people expect speed of it."""
        head = getattr(self.bare_model, 'head', None)
        rate, classes = getattr(head, 'sample_rate', 1), getattr(head, 'num_classes', 0)
        if rate < 1 and classes < SAMPLING_PAYS_FROM:
            self.logger.info(f'the head samples {rate:g} of {classes:,} classes: below some {SAMPLING_PAYS_FROM:,} on '
                             '8 GPUs the head is a small part of a step, and sampling gains little (docs/scale.md)')

    def _say_who_learns(self):
        """Log the groups of parameters, where ``FaceOptimWrapperConstructor`` made them."""
        optimizer = getattr(self.optim_wrapper, 'optimizer', None)
        if optimizer is not None and all('lr_mult' in group for group in optimizer.param_groups):
            self.logger.info(f'who learns:\n{describe_groups(optimizer, self.bare_model)}')

    def _warn_of_missing_pairs(self):
        """Say that a loss of pairs has none to learn of, as in batches of a plain sampler from many people."""
        losses = [name.rpartition('.')[2] for name, part in self.bare_model.named_modules()
                  if getattr(part, 'needs_pairs', False)]
        share = batches_without_pairs(self.train_loop.dataloader) if losses else None
        if share is not None and share > FEW_PAIRS:
            self.logger.warning(
                f'losses: {", ".join(losses)} learns of several images of a person in a batch, and {share:.0%} of the '
                "first batches have no two. Set train_dataloader.sampler=dict(_delete_=True, type='IdentitySampler', "
                'images_per_identity=4), with a batch_size that is a multiple of 4')

    def set_seed(self, seed):
        """Take over the seed of the run that is continued."""
        if seed != self.seed:
            self.logger.warning(f'the checkpoint was made with seed {seed}, which replaces {self.seed}')
        self._seed = seed

    def restore_random_state(self, state):
        """Set all random number generators of this rank."""
        random_state.set_random_state(state)

    def rewind_schedules(self, iteration, epoch):
        """Set closed-form schedules to an iteration; used when a run continues with another global batch."""
        for scheduler in self.param_schedulers or []:
            if not hasattr(scheduler, 'seek'):
                raise ConfigError(f'a run with a {type(scheduler).__name__} schedule continues only with the same '
                                  'global batch: use WarmupPolyLR or WarmupStepLR, or change accumulative_counts')
            scheduler.seek(epoch if scheduler.by_epoch else iteration)

    def to_device(self, data):
        """A batch with its tensors on the model's device, copied while the device still works."""
        device = next(self.bare_model.parameters()).device
        if device.type == 'cpu':
            return data
        return {key: value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value
                for key, value in data.items()}

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def load_or_resume(self):
        """Continue from a checkpoint if ``resume``; without one load the weights of ``load_from``, if any."""
        if self._has_loaded:
            return
        self._has_loaded = True
        path = self._find_checkpoint() if self._resume else None
        if path is not None and self._train_loop is not None:
            self.resume(path)
            self._open_visualizer()
            return
        if self._resume and path is None:
            self.logger.warning(f'no checkpoint to resume in {self.work_dir}: training starts anew')
        if path or self._load_from:
            self.load_checkpoint(path or self._load_from)
        if self._train_loop is not None:
            self._warn_of_frozen_fresh_weights()
            self._set_earlier_run_aside()
        self._open_visualizer()

    def _warn_of_frozen_fresh_weights(self):
        """Say that what is frozen has never learned, which is hardly what was meant."""
        model = self.bare_model
        kernels = [name for name, p in model.named_parameters() if not p.requires_grad and p.ndim > 1]
        norms = [name for name, part in model.named_modules() if isinstance(part, _BatchNorm) and not part.training]
        if (kernels or norms) and not self.loaded:
            self.logger.warning(f'{len(kernels)} kernels and {len(norms)} norms are frozen as they were drawn '
                                f'({", ".join([*kernels, *norms][:3])}, ...): no weights were loaded. Set load_from')

    def _set_earlier_run_aside(self):
        """Move what an earlier run left in the work directory: a fresh one has its own log, numbers and checkpoints."""
        moved = store.set_aside(self.work_dir, self._earlier_log) if self.rank == 0 else None
        if moved:
            if self._earlier_config is not None:
                (moved / 'config.py').write_bytes(self._earlier_config)
            self.logger.warning(f'the work directory held an earlier run: moved to {moved}')

    def _find_checkpoint(self):
        """The checkpoint to resume, the same on all ranks: ``load_from``, but for ``resume='latest'``."""
        asked = None if self._resume == LATEST else self._load_from
        return asked or store.find_latest(self.work_dir, self.logger.warning)

    def resume(self, filename):
        """Continue from a checkpoint, as if training had never stopped.

        Args:
            filename (str | Path): The ``.pth`` file.

        Raises:
            CheckpointError: If it is not whole, or not of this model, optimizer and data.
        """
        iteration = training.resume(self, filename)
        self.loaded = True
        self.logger.info(f'resumed from {filename}: iteration {self.iter}, epoch {self.epoch}, '
                         f'image {self.train_loop.position} of the epoch')
        if self.train_loop.done:
            key, end = self.train_loop.limit
            self.logger.warning(f'nothing is left to train: {filename} is at or behind train_cfg.{key}={end}: raise '
                                'that to train on')
        self.call_hook('after_resume', iteration=iteration)

    def load_checkpoint(self, filename):
        """Load the trunk's weights (fine-tuning); the head begins anew.

        Args:
            filename (str | Path): A checkpoint, a bare state dict or a published file; a name of the zoo.
        """
        self.logger.info(f'loaded {training.load_weights(self, filename)}')
        self.loaded = True

    def save_checkpoint(self, out_dir, filename, twin=None):
        """Write a checkpoint; called by all ranks.

        Args:
            out_dir (str | Path): Folder.
            filename (str): Name ending in ``.pth``.
            twin (dict, optional): What this method returned for another name of this moment.

        Returns:
            dict or None: See ``training.save``.
        """
        if not filename.endswith('.pth'):
            raise CheckpointError(f'a checkpoint is named NAME.pth, got {filename!r}')
        return training.save(self, Path(out_dir) / filename, twin)


def _typed(loop, kind):
    """A loop, or its config with a type: ours where none is stated, and not MMEngine's."""
    return {'type': kind, **loop} if isinstance(loop, dict) else loop
