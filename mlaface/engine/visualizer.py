"""The visualizer of a run: MMEngine's, with what is missing told before anything is trained."""
from mlaface.registry import VISUALIZERS
from mlaface.utils.errors import ArgumentError
from mlaface.utils.packages import is_installed, missing

# what MMEngine's backends import when they are first told something
PACKAGES = dict(WandbVisBackend='wandb', TensorboardVisBackend='tensorboard', MLflowVisBackend='mlflow',
                ClearMLVisBackend='clearml', NeptuneVisBackend='neptune', DVCLiveVisBackend='dvclive',
                AimVisBackend='aim')


def build_visualizer(cfg, name, folder):
    """Build a visualizer.

    Args:
        cfg (Visualizer | dict | None): Its config; ``type`` is by default ``Visualizer``. None: one that keeps nothing.
        name (str): Of the run.
        folder (str): Backends write to ``vis_data`` in it.

    Returns:
        Visualizer: It has written nothing yet.

    Raises:
        MissingPackageError: If a backend's package is not installed.
        ArgumentError: If it, or a backend, refuses its arguments.
    """
    if cfg is not None and not isinstance(cfg, dict):
        return cfg
    cfg = {'type': 'Visualizer', 'name': name, 'save_dir': folder, **(cfg or {})}
    names = set()
    for number, backend in enumerate(cfg.get('vis_backends') or ()):
        where, kind, package = f'visualizer.vis_backends[{number}]', backend['type'], PACKAGES.get(backend['type'])
        if package is not None and not is_installed(package):
            raise missing(package, f'{where}, {kind},', ', or leave it out')
        if backend.get('name', kind) in names:
            raise ArgumentError(f'{where} has the name of an earlier one: write dict(type={kind!r}, name=ANOTHER, ...)')
        names.add(backend.get('name', kind))
    return VISUALIZERS.build(cfg)
