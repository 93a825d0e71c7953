"""From a config file to a trained model: what ``tools/train.py`` calls."""
import os
import random
from contextlib import suppress
from pathlib import Path

from mlaface.engine.errors import CheckpointError, ConfigError, refusals


def train(config, work_dir=None, resume=None, amp=None, cfg_options=None, launcher='none', seed=None,
          auto_scale_lr=False, load_from=None, init_centers=None):
    """Train what a config describes.

    Args:
        config (str | Path): The config file.
        work_dir (str | Path, optional): Where the run is written; default ``work_dirs/NAME OF THE CONFIG``.
        resume (bool | str, optional): True: from the latest good checkpoint of the work directory; a path: from it.
        amp (str, optional): 'bfloat16' or 'float16'; None leaves it to the config.
        cfg_options (Sequence[str] | dict, optional): What is changed in the config; see ``load_config``.
        launcher (str): 'none', 'pytorch' or 'slurm'. Default 'none'.
        seed (int, optional): Default: that of the resumed checkpoint, of the config, of the run to resume that wrote no
            checkpoint yet, or one drawn now.
        auto_scale_lr (bool): Scale the learning rate by the images of one update. Default False.
        load_from (str, optional): Weights to begin with, a file or a name of the zoo; replaces that of the config, as
            the next one does.
        init_centers (str, optional): Where the class centres begin: 'class_means', or a file of centres.

    Returns:
        FaceRecognizer: The trained model.

    Raises:
        UserError: If config, data or checkpoint are not as they must be.
    """
    from mlaface.engine.config import load_config
    from mlaface.engine.distributed import leave_ranks, state_ranks
    _check_launcher(launcher)
    state_ranks(launcher)
    cfg = load_config(config, cfg_options)
    cfg.update({key: value for key, value in dict(load_from=load_from, init_centers=init_centers).items() if value})
    cfg.work_dir = str(work_dir or cfg.get('work_dir') or Path('work_dirs') / Path(config).stem)
    cfg.launcher = launcher
    if amp:
        cfg.optim_wrapper.amp = amp
    if auto_scale_lr:
        if not cfg.get('auto_scale_lr', {}).get('base_batch_size'):
            raise ConfigError(f'{config}: --auto-scale-lr needs auto_scale_lr=dict(base_batch_size=N) in the config')
        cfg.auto_scale_lr.enable = True
    if resume:
        cfg.resume = 'latest' if resume is True else True
        cfg.load_from = cfg.get('load_from') if resume is True else str(resume)
    set_seed(cfg, seed)
    try:
        runner = build_runner(cfg)
        runner.train()
    except BaseException:
        leave_ranks(wait=False)  # a group that is left open aborts the process when it ends
        raise
    model = runner.bare_model
    del runner
    leave_ranks()
    return model


def _check_launcher(launcher):
    """Refuse to wait for ranks that nobody started."""
    needed, command = dict(pytorch=('RANK', 'bash tools/dist_train.sh CONFIG GPUS'),
                           slurm=('SLURM_PROCID', 'bash tools/slurm_train.sh PARTITION JOB CONFIG')
                           ).get(launcher, (None, None))
    if needed and needed not in os.environ:
        raise ConfigError(f'--launcher {launcher}: the environment variable {needed} is not set, so that no launcher '
                          f'started this process. Start the ranks with: {command}')


def set_seed(cfg, seed=None):
    """Choose the seed of a run and write it into the config.

    Args:
        cfg (Config): With ``work_dir``, ``resume``, ``load_from``; ``randomness.seed`` is set.
        seed (int, optional): Given on the command line.
    """
    randomness = dict(cfg.get('randomness') or {})
    if seed is None and cfg.get('resume'):
        seed = _resumed_seed(cfg)
    if seed is None:
        seed = randomness.get('seed')
    if seed is None and cfg.get('resume'):
        seed = _drawn_seed(cfg.work_dir)
    if seed is None:  # ranks of one run share their master's address and port, and so the seed drawn from it
        seed = random.SystemRandom().randrange(2 ** 31) if 'WORLD_SIZE' not in os.environ else _common_seed()
    cfg.randomness = dict(randomness, seed=int(seed))


def _common_seed():
    """A seed that all ranks of a launch draw alike."""
    import hashlib
    names = ('TORCHELASTIC_RUN_ID', 'MASTER_ADDR', 'MASTER_PORT', 'SLURM_JOB_ID')
    text = '/'.join(os.environ.get(name, '') for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], 'big') % 2 ** 31


def _resumed_seed(cfg):
    """The seed of the run that is continued, or None; the data set must be built with it."""
    from mlaface.engine.checkpoint import store
    if cfg.resume is True and cfg.get('load_from'):
        return store.read(cfg.load_from)['seed']
    for path in store.checkpoints(cfg.work_dir):
        with suppress(CheckpointError):  # of one that is torn the runner says that it is passed over
            return store.read(path)['seed']
    return None


def _drawn_seed(work_dir):
    """The seed of a run that ended before its first checkpoint, from the ``config.py`` it left, or None."""
    from mmengine.config import Config
    path = Path(work_dir) / 'config.py'
    if not path.is_file():
        return None
    try:
        left = Config.fromfile(path, import_custom_modules=False, lazy_import=False)
    except SyntaxError:  # the run ended while it was written
        return None
    return (left.get('randomness') or {}).get('seed')


def build_runner(cfg):
    """Open the data, fill in the number of classes, and build the runner.

    Args:
        cfg (Config): Checked, with ``work_dir``.

    Returns:
        FaceRunner: Ready to train.

    Raises:
        MissingDataError: If training or validation data is not there; before any model is built.
        ConfigError: If a part refuses its arguments.
    """
    from mlaface.engine.config import check_evaluation_sets, check_together, fill_num_classes
    from mlaface.registry import RUNNERS
    if cfg.get('val_dataloader') is None:
        cfg.val_cfg = cfg.val_evaluator = None  # whoever trains without validation need not name all three
    check_together(cfg, cfg.filename or 'config')
    dataset = fill_num_classes(cfg)
    check_evaluation_sets(cfg)
    with refusals(cfg.filename or 'config'):
        runner = RUNNERS.get(cfg.get('runner_type', 'FaceRunner')).from_cfg(cfg)
    runner.train_dataset = dataset
    return runner


def config_text(path, cfg_options=None, key=None):
    """A checked config, or a part of it, as Python text.

    Args:
        path (str | Path): The config file.
        cfg_options (Sequence[str] | dict, optional): What is changed in it; see ``load_config``.
        key (str, optional): Dotted path of the part.

    Returns:
        str: The text.

    Raises:
        ConfigError: If the config is wrong, or has no such part.
    """
    from mmengine.config import Config

    from mlaface.engine.config import load_config
    config = load_config(path, cfg_options)
    if not key:
        return config.pretty_text
    return Config({key.split('.')[-1]: _part(config, key, path)}).pretty_text


def _part(config, key, path):
    """What stands in a config at a dotted path, numbers for entries of lists."""
    from mmengine.config import Config

    from mlaface.registry import did_you_mean
    part = config
    for name in key.split('.'):
        entries = {str(place): entry for place, entry in enumerate(part)} if isinstance(part, (list, tuple)) else part
        entries = entries if isinstance(entries, (dict, Config)) else {}
        if name not in entries:
            raise ConfigError(f'{path} has no {key!r}: there is no {name!r}{did_you_mean(name, list(entries))}')
        part = entries[name]
    return part
