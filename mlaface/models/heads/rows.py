"""Start values and samples of class rows, the same for any number of ranks."""
import math
import random

import torch

BLOCK = 4096
_MASK = 0xffffffff


def fill_rows(weight, start, seed, std=0.01):
    """Fill rows with Normal(0, std), each row a function of its global number and the seed alone.

    Rows are drawn in blocks of 4,096 with one generator a block, so a run can be repeated on any number of ranks.

    Args:
        weight (Tensor): (rows, D), filled in place.
        start (int): Global number of the first row.
        seed (int): Seed.
        std (float): Standard deviation. Default: 0.01.
    """
    stop = start + weight.shape[0]
    generator = torch.Generator()
    for block in range(start // BLOCK, -(-stop // BLOCK)):
        generator.manual_seed((mix(seed) + block) & _MASK)  # the generator uses 32 bits: no two blocks share them
        values = torch.empty(BLOCK, weight.shape[1]).normal_(0, std, generator=generator)
        first, last = max(start, block * BLOCK), min(stop, (block + 1) * BLOCK)
        with torch.no_grad():
            weight[first - start:last - start] = values[first - block * BLOCK:last - block * BLOCK].to(weight)


def mix(*numbers):
    """One 32-bit number from several, each bit depending on all of them (the finaliser of MurmurHash3)."""
    value = 0
    for number in numbers:
        value = (value * 31 + number + 0x9e3779b9) & _MASK
        value = ((value ^ (value >> 16)) * 0x85ebca6b) & _MASK
        value = ((value ^ (value >> 13)) * 0xc2b2ae35) & _MASK
        value ^= value >> 16
    return value


def next_prime(number):
    """The smallest prime that is at least ``number``."""
    number = max(2, number)
    while any(number % divisor == 0 for divisor in range(2, math.isqrt(number) + 1)):
        number += 1
    return number


class RowSampler:
    """Distinct random classes at a cost that depends on the sample, not on the number of classes.

    With p the smallest prime >= C, a uniform in 1 .. p - 1 and b uniform in 0 .. p - 1, the numbers ``(a i + b) mod p``
    are distinct, and any two of them are uniform over all pairs of distinct numbers; those >= C (at most p - C, a few)
    are passed over. So each class, and each pair of classes, is drawn with the same probability as in a random
    permutation, which is what the mean and the variance of the sampled sum depend on. Two random numbers a step.

    Args:
        classes (int): C, classes of this rank.
        size (int): Classes to draw.
        seed (int): Seed.
        rank (int): Ranks draw differently.
    """

    def __init__(self, classes, size, seed, rank):
        self.classes, self.size = classes, min(size, classes)
        self.prime = next_prime(classes)
        self.seed, self.rank = seed, rank

    def draw(self, step, device=None):
        """Distinct numbers of one step in random order, the same for the same step.

        Args:
            step (int): Number of the step.
            device (torch.device | None): Where to make them. Default: the processor.

        Returns:
            Tensor: int64; at least ``size`` of them are classes, the others are >= C and to be passed over.
        """
        numbers = random.Random(mix(self.seed, self.rank, step))
        factor, shift = numbers.randrange(1, self.prime), numbers.randrange(self.prime)
        count = min(self.prime, self.size + self.prime - self.classes)
        return (torch.arange(count, device=device) * factor + shift) % self.prime

    def sample(self, labels, step):
        """All classes of a batch that are here, filled with random others to ``size``.

        Shapes do not depend on values, so that a GPU is not waited for, unless the batch is larger than ``size``: only
        then may the sample have to grow, and its length must be asked for.

        Args:
            labels (Tensor): Local numbers of the batch's classes, int64 (N,); outside 0 .. C - 1 for other ranks'.
            step (int): Number of the step.

        Returns:
            Tensor: Distinct local classes, ascending, int64 (max(P, size),) with P the classes of the batch here.
        """
        nobody = self.classes
        labels = labels.where((labels >= 0) & (labels < nobody), nobody).sort().values
        first = (labels != labels.roll(1)) & (labels < nobody)
        first[0] = labels[0] < nobody
        drawn = self.draw(step, labels.device)
        taken = labels[torch.searchsorted(labels, drawn).clamp(max=len(labels) - 1)] == drawn
        other = ~taken & (drawn < nobody)
        other &= other.cumsum(0) <= self.size - first.sum()
        sample = torch.cat([labels.where(first, nobody), drawn.where(other, nobody)]).sort().values
        return sample[:self.size if len(labels) <= self.size else max(self.size, int(first.sum()))]
