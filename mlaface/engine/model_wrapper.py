"""Data parallel training of the trunk around a head that is split over ranks."""
from itertools import chain

from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from mlaface.registry import MODEL_WRAPPERS
from mlaface.utils.sharding import row_shard


def sum_gradients(group, bucket):
    """DDP communication hook that adds gradients over ranks.

    The head's loss is the mean over the global batch, so each rank's trunk gradient is already its share of the whole.

    Args:
        group (ProcessGroup | None): The ranks.
        bucket (GradBucket): Gradients of some parameters.

    Returns:
        Future[Tensor]: The summed bucket.
    """
    work = distributed.all_reduce(bucket.buffer(), group=group, async_op=True)
    return work.get_future().then(lambda future: future.value()[0])


def row_sharded_names(model):
    """Names of the parameters and buffers that are split over ranks by rows (list of str)."""
    return [name for name, tensor in chain(model.named_parameters(), model.named_buffers())
            if row_shard(tensor) is not None]


@MODEL_WRAPPERS.register_module()
class FaceDistributedDataParallel(DistributedDataParallel):
    """Replicates the trunk, leaves row-sharded tensors to the head, and sums gradients.

    Args:
        module (nn.Module): The recognizer.
        device_ids (list[int], optional): This rank's device; None on CPU.
        find_unused_parameters (bool): For networks whose parameters are not all used in each step. Default False.
    """

    def __init__(self, module, device_ids=None, find_unused_parameters=False):
        names = row_sharded_names(module)
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, names)
        on_cpu = next(module.parameters()).device.type == 'cpu'
        super().__init__(module, device_ids=None if on_cpu else device_ids, broadcast_buffers=False,
                         find_unused_parameters=find_unused_parameters, gradient_as_bucket_view=True)
        self.register_comm_hook(None, sum_gradients)

    def train_step(self, data, optim_wrapper):
        """One forward and backward pass, and the update if it is due.

        Args:
            data (dict): ``images`` (N, 3, H, W) and ``labels`` (N,).
            optim_wrapper (FaceOptimWrapper): What updates the weights.

        Returns:
            dict: What the recognizer's loss pass gives.
        """
        with optim_wrapper.optim_context(self):
            losses = self(data['images'], data['labels'], mode='loss')
        optim_wrapper.update_params(losses['loss'])
        return losses

    def val_step(self, data):
        """The recognizer's own ``val_step``."""
        return self.module.val_step(data)

    def test_step(self, data):
        """The recognizer's own ``test_step``."""
        return self.module.test_step(data)
