"""What a run was made with: versions, machine, commit, seed."""
import platform
import subprocess
from pathlib import Path

from mlaface.utils.configs import config_text
from mlaface.version import __version__


def commit():
    """The commit of the code, with ``-dirty`` if it was changed since; '' outside a repository."""
    try:
        found = subprocess.run(['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude', '*'],
                               cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return found.stdout.strip() if found.returncode == 0 else ''


def describe_environment(runner):
    """Text for the top of the log.

    Args:
        runner (FaceRunner): With seed, ranks and config known.

    Returns:
        str: Several lines.
    """
    import mmengine
    import torch
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or 'cpu'
    return (f'mlaface {__version__} ({runner.commit or "no commit"}), torch {torch.__version__}, '
            f'mmengine {mmengine.__version__}, Python {platform.python_version()}, {platform.platform()}\n'
            f'device: {device}, {torch.get_num_threads()} threads; ranks: {runner.world_size}; seed: {runner.seed}; '
            f'work dir: {runner.work_dir}\nconfig:\n{config_text(runner.cfg)}')
