"""A small network and generated data behind the contracts, for tests of the engine."""
import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.registry import FUNCTIONS
from torch import distributed, nn
from torch.utils.data import Dataset, Sampler

from mlaface.registry import DATA_SAMPLERS, DATASETS, METRICS, MODELS
from mlaface.utils.sharding import split_rows

CLASSES, IMAGES, WIDTH = 5, 44, 6


def ranks():
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (0, 1)


@DATASETS.register_module()
class ToyFaces(Dataset):
    """Images are a function of (seed, epoch, index), as the contract has it."""

    def __init__(self, images=IMAGES, seed=7, missing=None):
        if missing:
            raise FileNotFoundError(f'no training set at {missing}')
        self.images, self.seed = images, seed
        self.metainfo = dict(classes=[f'person {i}' for i in range(CLASSES)], num_classes=CLASSES)

    def __len__(self):
        return self.images

    def __getitem__(self, draw):
        epoch, index = divmod(int(draw), len(self))
        label = index % CLASSES
        generator = np.random.default_rng([self.seed, epoch, index])
        image = generator.integers(0, 120, (3, 8, 8)) + 20 * label
        return dict(images=image.astype(np.uint8), labels=label)


@DATASETS.register_module()
class ToyPairs(ToyFaces):
    def __getitem__(self, index):
        return dict(images=super().__getitem__(int(index))['images'], index=int(index))


@DATA_SAMPLERS.register_module()
class ToySampler(Sampler):
    def __init__(self, dataset, batch_size, seed=0):
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.epoch = self.position = 0

    def load_state_dict(self, state):
        self.epoch, self.position, self.seed = state['epoch'], state['position'], state['seed']

    def _blocks(self):
        rank, world = ranks()
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.dataset))
        step = self.batch_size * world
        for start in range(self.position, len(order) - step + 1, step):
            yield from order[start + rank * self.batch_size:start + (rank + 1) * self.batch_size]

    def __iter__(self):
        return iter([self.epoch * len(self.dataset) + int(index) for index in self._blocks()])

    def __len__(self):
        return (len(self.dataset) - self.position) // (self.batch_size * ranks()[1]) * self.batch_size


@FUNCTIONS.register_module()
def toy_collate(samples):
    return {key: torch.as_tensor(np.stack([sample[key] for sample in samples])) for key in samples[0]}


class Gather(torch.autograd.Function):
    """All ranks' embeddings; the gradient of a rank's own is the sum over ranks of what they did with it."""

    @staticmethod
    def forward(context, x):
        parts = [torch.empty_like(x) for _ in range(ranks()[1])]
        distributed.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context, gradient):
        rank, world = ranks()
        gradient = gradient.contiguous()
        distributed.all_reduce(gradient)
        return gradient.chunk(world)[rank]


@MODELS.register_module()
class ToyHead(nn.Module):
    """Half squared distance to the class's row, summed over this rank's classes: the global batch's mean."""

    def __init__(self, num_classes=None, embedding_size=WIDTH):
        super().__init__()
        rank, world = ranks()
        shard = split_rows(num_classes, rank, world)
        rows = torch.linspace(-1, 1, num_classes * embedding_size).reshape(num_classes, embedding_size)
        self.weight = nn.Parameter(rows[shard.start:shard.stop].clone())
        self.weight.row_shard = shard

    def loss(self, embeddings, labels):
        world = ranks()[1]
        if world > 1:
            embeddings = Gather.apply(embeddings)
            parts = [torch.empty_like(labels) for _ in range(world)]
            distributed.all_gather(parts, labels)
            labels = torch.cat(parts)
        shard = self.weight.row_shard
        mine = (labels >= shard.start) & (labels < shard.stop)
        rows = self.weight[labels[mine] - shard.start]
        loss = (embeddings[mine] - rows).square().sum() / (2 * len(labels))
        if world > 1:
            total = loss.detach().clone()
            distributed.all_reduce(total)
            loss = loss + (total - loss).detach()
        return dict(loss=loss)


@MODELS.register_module()
class ToyRecognizer(nn.Module):
    embedding_size = WIDTH
    input_spec = dict(color='RGB', mean=[127.5] * 3, std=[127.5] * 3, size=[8, 8])

    def __init__(self, head=None, hidden=8, dropout=0.0, blow_up=None, strict=False):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, hidden, 3, stride=2), nn.BatchNorm2d(hidden), nn.PReLU(hidden))
        self.neck = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(hidden * 9, WIDTH))
        self.gate = nn.Parameter(torch.tensor([0.5]))
        self.head = MODELS.build(head) if head else None
        self.blow_up, self.steps, self.strict = blow_up, 0, strict

    def forward(self, images, labels=None, mode='tensor'):
        x = self.backbone((images.float() - 127.5) / 127.5)
        self.steps += self.training and mode == 'loss'
        if self.blow_up and self.steps >= self.blow_up:
            x = x / torch.zeros_like(x)
        embeddings = self.neck(x) * self.gate
        if mode != 'loss':
            return embeddings
        if self.strict and not embeddings.isfinite().all():
            raise ValueError('an embedding is not finite')
        return dict(gate=self.gate.detach().mean(), **self.head.loss(embeddings, labels))

    def train_step(self, data, optim_wrapper):
        with optim_wrapper.optim_context(self):
            losses = self(data['images'], data['labels'], mode='loss')
        optim_wrapper.update_params(losses['loss'])
        return losses

    def val_step(self, data):
        return dict(embeddings=self(data['images']), index=data['index'])


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """A figure that depends on all weights."""

    def process(self, data_batch, data_samples):
        self.results.append(data_samples['embeddings'].sum().item())

    def compute_metrics(self, results):
        self.last_result = {'toy': dict(protocol='pairs', metrics=dict(accuracy=dict(value=sum(results))))}
        return {'toy/accuracy': sum(results), 'mean_accuracy': sum(results)}


TEXT = '''
default_scope = 'mlaface'
runner_type = 'FaceRunner'
custom_imports = dict(imports=['tests.engine.toy'])
model = dict(type='ToyRecognizer', head=dict(type='ToyHead'), dropout=0.2)
train_dataloader = dict(batch_size=8, num_workers=0, sampler=dict(type='ToySampler'),
                        collate_fn=dict(type='toy_collate'), dataset=dict(type='ToyFaces'))
train_cfg = dict(type='FaceTrainLoop', max_epochs=3)
optim_wrapper = dict(type='FaceOptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4),
                     clip_grad=dict(max_norm=5))
param_scheduler = dict(type='WarmupPolyLR', warmup=1, by_epoch=True, convert_to_iter_based=True)
val_dataloader = dict(batch_size=8, collate_fn=dict(type='toy_collate'), dataset=dict(type='ToyPairs', images=16))
val_evaluator = dict(type='ToyMetric')
val_cfg = dict(type='FaceValLoop')
default_hooks = dict(ema=dict(type='EMAHook', momentum=0.1), logger=dict(type='FaceLogHook', interval=1),
                     checkpoint=dict(type='FaceCheckpointHook', max_keep=50))
'''


def config_file(folder, text=TEXT):
    """Write the toy config and return its path."""
    path = folder / 'toy.py'
    path.write_text(text)
    return path


def toy_config(work_dir, **options):
    """The toy config with dotted options (``__`` for the dot) replaced."""
    config = Config.fromstring(TEXT, '.py')
    config.merge_from_dict({key.replace('__', '.'): value for key, value in options.items()})
    config.work_dir, config.randomness = str(work_dir), dict(seed=11)
    return config


def run(work_dir, **options):
    """Train the toy and give the runner."""
    from mlaface.engine.launch import build_runner
    runner = build_runner(toy_config(work_dir, **options))
    runner.train()
    return runner
