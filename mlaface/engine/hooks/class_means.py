"""Begin with class centres where the network sees their classes."""
import copy
import time

import torch
from mmengine.hooks import Hook
from torch.nn.functional import normalize

from mlaface.engine.data import build_dataloader
from mlaface.engine.distributed import gather_objects, world_size
from mlaface.engine.errors import ConfigError
from mlaface.registry import HOOKS
from mlaface.utils.sharding import row_shard

APART = 0.1  # share of its own direction that a sub-centre keeps, or the centres of a class would stay one for ever


@HOOKS.register_module()
class ClassMeansHook(Hook):
    """Turns the head's fresh centres to the mean embeddings of their classes, by the weights that were loaded.

    Each image of the training data, as it is without transforms, is embedded once with its mirror image, by one of the
    ranks. A centre keeps its length; that of a class without images stays as it is. A resumed run keeps its own.
    In a config: ``init_centers='class_means'``.
    """

    def before_train(self, runner):
        """Fill this rank's rows.

        Args:
            runner (FaceRunner): About to train.

        Raises:
            ConfigError: If no weights were loaded, or they make embeddings that are not finite.
        """
        if not runner.train_loop.fresh:
            return
        if not hasattr(runner.bare_model.head, 'weight'):
            raise ConfigError(f'init_centers: a {type(runner.bare_model.head).__name__} has no centres of one label '
                              'space. Leave init_centers out, or use a MarginHead')
        if not runner.loaded:
            raise ConfigError("init_centers='class_means' needs a network that has learned: set load_from")
        start = time.perf_counter()
        found = self._turn(runner.bare_model.head.weight, self._sums(runner))
        runner.logger.info(f'centres of {sum(gather_objects(found))} identities begin at their class means: '
                           f'{len(runner.train_dataloader.dataset)} images in {time.perf_counter() - start:.0f} s')

    @staticmethod
    @torch.no_grad()
    def _turn(weight, sums):
        """Turn centres to the sums of their classes; how many classes have one."""
        per_class = row_shard(weight).per_class
        sums = sums.repeat_interleave(per_class, dim=0)
        means = normalize(sums)
        if per_class > 1:
            means = normalize(means + APART * normalize(weight.double()))
        found = sums.norm(dim=1, keepdim=True) > 0
        weight.copy_(torch.where(found, means * weight.norm(dim=1, keepdim=True), weight))
        return int(found.sum()) // per_class

    def _sums(self, runner):
        """Sums of the unit embeddings of each class held here, float64 (classes, D)."""
        weight, shard = runner.bare_model.head.weight, row_shard(runner.bare_model.head.weight)
        sums = weight.new_zeros(shard.rows // shard.per_class, weight.shape[1], dtype=torch.float64)
        for embeddings, labels in self._embedded(runner):
            places = labels - shard.start // shard.per_class
            mine = (places >= 0) & (places < len(sums))
            sums.index_add_(0, places[mine].to(sums.device), embeddings[mine].to(sums))
        if not all(gather_objects(bool(sums.isfinite().all()))):
            raise ConfigError("init_centers='class_means': the weights of load_from make embeddings that are not "
                              'finite')
        return sums

    def _embedded(self, runner):
        """Unit embeddings and labels of all images, on all ranks, by batches."""
        loader = self._loader(runner)
        batches = iter(loader)
        for _ in range(-(-len(loader.dataset) // world_size() // loader.batch_size) + 1):
            batch = next(batches, None)
            own = None if batch is None else self._embed(runner, runner.to_device(batch))
            yield from (part for part in gather_objects(own) if part is not None)

    @staticmethod
    def _embed(runner, batch):
        with runner.optim_wrapper.optim_context(runner.bare_model):
            embeddings = runner.bare_model.extract(batch['images'], flip='sum')
        return normalize(embeddings.double()).cpu(), torch.as_tensor(batch['labels']).cpu()

    @staticmethod
    def _loader(runner):
        given = runner.train_dataloader
        dataset = copy.copy(given.dataset)
        dataset.transforms = []
        return build_dataloader(dict(dataset=None, batch_size=given.batch_size, num_workers=given.num_workers,
                                     collate_fn=given.collate_fn, sampler=dict(type='SequentialSampler')),
                                runner.seed, dataset)
