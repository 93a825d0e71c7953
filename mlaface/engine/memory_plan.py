"""Memory and communication of a training step on one rank, from sizes alone."""
from dataclasses import dataclass, replace

FLOAT, INDEX = 4, 8
MOMENTS = dict(SGD=1, RowSGD=1, Adam=2, AdamW=2, RowAdamW=2)
COUNTERS = dict(RowSGD=1, RowAdamW=2)
# copies of a parameter that torch's update of it makes for a moment: of SGD the gradient with the decay added
SCRATCH = dict(Adam=2, AdamW=2)
# counted in real steps of MarginHead, which a test repeats: (N, block) matrices alive at once in the backward pass
# (one more where they are made again), (N, D) matrices, and bytes per active row (numbers, norms, sums)
LOGIT_COPIES, CHUNKED_COPIES, EMBEDDING_COPIES, ROW_EXTRAS = 5, 6, 5, 24


def moments_of(optimizer, momentum=0.9):
    """Numbers that an optimizer keeps per weight.

    Args:
        optimizer (str): Its type.
        momentum (float): Of SGD; 0 keeps nothing.

    Returns:
        int: 0, 1 or 2.

    Raises:
        ValueError: If the optimizer is not known; names those that are.
    """
    if optimizer not in MOMENTS:
        raise ValueError(f'optimizer {optimizer!r} is not known to the plan; known are {", ".join(sorted(MOMENTS))}')
    return 0 if 'SGD' in optimizer and momentum == 0 else MOMENTS[optimizer]


@dataclass(frozen=True)
class HeadPlan:
    """A sharded margin head on one of ``gpus`` ranks.

    Args:
        classes (int): Identities.
        width (int): D of the embeddings.
        batch_size (int): Images on a rank.
        gpus (int): Ranks.
        sample_rate (float): Share of the rows that take part in a step.
        chunk_size (int | None): Rows of a block; None for no chunking.
        optimizer (str): Its type.
        momentum (float): Of SGD.
        per_class (int): Sub-centres.
        weight_decay (float): Of the optimizer.
    """
    classes: int
    width: int
    batch_size: int
    gpus: int = 1
    sample_rate: float = 1.0
    chunk_size: int = None
    optimizer: str = 'SGD'
    momentum: float = 0.9
    per_class: int = 1
    weight_decay: float = 5e-4

    @property
    def global_batch(self):
        """Images of a step on all ranks: every rank compares all of them with its rows."""
        return self.batch_size * self.gpus

    @property
    def rows(self):
        """Rows of the rank that holds most."""
        return -(-self.classes // self.gpus) * self.per_class

    @property
    def active(self):
        """Rows that take part in a step."""
        return self.rows if self.sample_rate >= 1 else min(self.rows, max(1, round(self.rows * self.sample_rate)))

    @property
    def block(self):
        """Rows whose logits exist at once."""
        return min(self.active, self.chunk_size or self.active)

    def bytes(self):
        """Bytes by kind.

        Returns:
            dict[str, int]: ``head weights``, ``head gradients``, ``head optimizer``, ``logits`` (and what else the
            head holds for the time of a step).
        """
        row = self.width * FLOAT
        sampled = self.active < self.rows
        counters = COUNTERS.get(self.optimizer, 0) * INDEX * self.rows if sampled else 0
        gathered = self.active * row if sampled else 0
        copies = CHUNKED_COPIES if self.chunk_size else LOGIT_COPIES
        return {'head weights': self.rows * row,
                'head gradients': self.active * (row + (INDEX if sampled else 0)),
                'head optimizer': moments_of(self.optimizer, self.momentum) * self.rows * row + counters,
                'logits': copies * self.global_batch * self.block * FLOAT + gathered + self.active * ROW_EXTRAS
                + EMBEDDING_COPIES * self.global_batch * row}

    def scratch(self, largest):
        """Bytes that the update of one parameter makes for a moment, at most; row optimizers update a head by blocks.

        Args:
            largest (int): Bytes of the trunk's largest parameter.

        Returns:
            int: Bytes.
        """
        by_rows = self.optimizer.startswith('Row')
        copies = SCRATCH.get(self.optimizer.removeprefix('Row'), 1 if self.weight_decay else 0)
        return copies * max(largest, 0 if by_rows else self.rows * self.width * FLOAT)

    def communication(self, numbers):
        """Bytes that a rank sends in a step.

        Args:
            numbers (int): Parameters of the trunk.

        Returns:
            dict[str, float]: ``trunk`` (ring all-reduce of its gradients), ``head`` (all-gather of embeddings and
            labels, reduce-scatter of their gradients, three all-reduces of one number an image); independent of the
            number of classes.
        """
        share = (self.gpus - 1) / self.gpus
        embeddings = self.global_batch * (2 * self.width * FLOAT + INDEX)
        return dict(trunk=2 * share * numbers * FLOAT, head=share * (embeddings + 2 * 3 * self.global_batch * FLOAT))


def plan(trunk, head):
    """All memory of a rank.

    Args:
        trunk (dict): What ``mlaface.engine.memory.trunk_memory`` gives.
        head (HeadPlan): The head.

    Returns:
        dict: ``parts`` {kind: bytes}, ``peak`` (bytes at the worst moment of a step; the parts are not all alive
        together), ``communication`` {kind: bytes}.
    """
    own = head.bytes()
    state = moments_of(head.optimizer, head.momentum) * trunk['learning']
    kept = trunk['parameters'] + trunk['buffers'] + state + own['head weights'] + own['head optimizer']
    head_time = trunk['activations'] + own['logits'] + own['head gradients']
    trunk_time = trunk['step'] + own['head gradients']
    update_time = trunk['learning'] + own['head gradients'] + head.scratch(trunk['largest'])
    parts = {'trunk weights': trunk['parameters'] + trunk['buffers'], 'trunk gradients': trunk['learning'],
             'trunk optimizer': state, **own, 'activations': trunk['activations']}
    return dict(parts=parts, peak=kept + max(head_time, trunk_time, update_time),
                communication=head.communication(trunk['numbers']))


def alternatives(trunk, head, sample_rate=0.1, chunk_size=16384):
    """What one change each would do to the peak.

    Args:
        trunk (dict): What ``trunk_memory`` gives.
        head (HeadPlan): As planned.
        sample_rate (float): To compare with.
        chunk_size (int): To compare with.

    Returns:
        dict[str, int]: Peak bytes by change.
    """
    lazy = head.optimizer if head.optimizer.startswith('Row') else f'Row{head.optimizer}'
    changes = {f'optimizer={lazy}': dict(optimizer=lazy),
               f'sample_rate={sample_rate:g}': dict(sample_rate=sample_rate, optimizer=lazy),
               f'chunk_size={chunk_size}': dict(chunk_size=chunk_size),
               f'gpus={2 * head.gpus}': dict(gpus=2 * head.gpus)}
    return {name: plan(trunk, replace(head, **change))['peak'] for name, change in changes.items()
            if replace(head, **change) != head and (lazy in MOMENTS or 'optimizer' not in change)}
