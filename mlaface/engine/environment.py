"""What a run was made with: versions, machine, commit, seed."""
import functools
import logging
import platform
import subprocess
from pathlib import Path

import torch
from mmengine.logging import print_log

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


@functools.cache
def warn_of_emulation(amp, device, key):
    """Say once where mixed precision costs time instead of saving it: on processors that emulate the type.

    Args:
        amp (str | None): 'bfloat16' or 'float16'.
        device (str): Type of the device, as ``'cpu'``.
        key (str): Where the config states it.
    """
    if amp and device == 'cpu' and not _in_hardware(amp):
        print_log(f'{key}: this processor has no instructions for {amp}, and torch emulates it, which takes many times '
                  f'as long as float32: --cfg-options {key}=None', 'current', logging.WARNING)


def _in_hardware(amp):
    asked = dict(bfloat16='_is_mkldnn_bf16_supported', float16='_is_mkldnn_fp16_supported')[amp]
    try:
        return getattr(torch.ops.mkldnn, asked)()
    except (AttributeError, RuntimeError):  # a build without oneDNN; nothing is known
        return True


def describe_environment(runner):
    """Text for the top of the log.

    Args:
        runner (FaceRunner): With seed, ranks and config known.

    Returns:
        str: Several lines.
    """
    import mmengine
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or 'cpu'
    return (f'mlaface {__version__} ({runner.commit or "no commit"}), torch {torch.__version__}, '
            f'mmengine {mmengine.__version__}, Python {platform.python_version()}, {platform.platform()}\n'
            f'device: {device}, {torch.get_num_threads()} threads; ranks: {runner.world_size}; seed: {runner.seed}; '
            f'work dir: {runner.work_dir}\nconfig:\n{config_text(runner.cfg)}')
