"""Begin with given class centres."""
import torch
from mmengine.hooks import Hook
from safetensors import SafetensorError, safe_open

from mlaface.engine.checkpoint.row_manifest import together
from mlaface.engine.distributed import rank
from mlaface.engine.errors import ConfigError
from mlaface.registry import HOOKS
from mlaface.utils.checksums import check_seal
from mlaface.utils.sharding import row_shard


@HOOKS.register_module()
class InitCentersHook(Hook):
    """Fills the head's centres from one file before a fresh run; a resumed run keeps its own.

    Each rank reads its own rows of the file only. In a config: ``init_centers='FILE.safetensors'``.

    Args:
        file (str): What ``mlaface centers`` wrote, for exactly the identities of the data, in label order.
    """

    def __init__(self, file):
        self.file = file

    def before_train(self, runner):
        """Read this rank's rows.

        Args:
            runner (FaceRunner): About to train.

        Raises:
            ConfigError: If the file cannot be read, or is for other identities or another width; says what to do.
        """
        if not runner.train_loop.fresh:
            return
        if not hasattr(runner.bare_model.head, 'weight'):
            raise ConfigError(f'init_centers: a {type(runner.bare_model.head).__name__} has no centres of one label '
                              'space. Leave init_centers out, or use a MarginHead')
        try:
            together(lambda: check_seal(self.file) if rank() == 0 else None)
            self._fill(runner)
        except ConfigError:
            raise
        except ValueError as error:  # damaged
            raise ConfigError(f'InitCentersHook: {error}') from error
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise ConfigError(f'InitCentersHook: {self.file} is no file of centres ({error}): write it with '
                              'mlaface centers') from error

    def _fill(self, runner):
        """Read this rank's rows into the head."""
        weight = runner.bare_model.head.weight
        shard, metainfo = row_shard(weight), getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}
        with safe_open(self.file, 'pt') as stream:
            rows = stream.get_slice('weight')
            found = [*rows.get_shape(), int(stream.metadata()['per_class'])]
            wanted = [shard.total, weight.shape[1], shard.per_class]
            if found != wanted:
                raise ConfigError(f'{self.file} holds {found[0]} x {found[1]} centres, {found[2]} a class, the head '
                                  f'has {wanted[0]} x {wanted[1]}, {wanted[2]} a class: make one for the '
                                  'identities of the data by mlaface centers import')
            self._check_names(stream, metainfo.get('classes'))
            with torch.no_grad():
                weight.copy_(rows[shard.start:shard.stop])

    def _check_names(self, stream, classes):
        if classes is None:
            return
        names = stream.get_tensor('class_names').numpy().tobytes().decode().split('\n')
        wrong = next((place for place, (a, b) in enumerate(zip(names, classes)) if a != str(b)), None)
        if wrong is not None:
            raise ConfigError(f'{self.file}: centre {wrong} is of {names[wrong]!r}, class {wrong} of the data is '
                              f'{classes[wrong]!r}: run mlaface centers import for the data\'s identities')
