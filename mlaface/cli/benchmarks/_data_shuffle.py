"""How near an order of training comes to a perfect shuffle: company of images in batches, and in the next epoch."""
import numpy as np

from mlaface.cli.benchmarks.harness import result, row

IMAGES_PER_IDENTITY = 20  # WebFace42M has 20.6


def together(order, batch, groups):
    """How many pairs of images of one batch are of one group.

    Args:
        order (ndarray (N,)): Images, in the order that they are drawn in.
        batch (int): Images of a global batch.
        groups (ndarray (N,)): Group of each image.

    Returns:
        int: Pairs, over all whole batches.
    """
    drawn = groups[order[:len(order) // batch * batch]].astype(np.int64)
    keys = np.arange(len(drawn)) // batch * (int(groups.max()) + 1) + drawn
    _, counts = np.unique(keys, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


def buffered(images, shard, lanes, buffer, rng):
    """The order of a reader of shards, as WebDataset's: shards in random order dealt to lanes, each with a buffer.

    Args:
        images (int): Of the set.
        shard (int): Images of a shard.
        lanes (int): Readers, which take turns of an image.
        buffer (int): Images of a reader's buffer, out of which one is drawn at random and replaced by the next.
        rng (numpy.random.Generator): Of the draws.

    Returns:
        ndarray: int64 (N',); what the longest lanes have over is left out.
    """
    starts = rng.permutation(np.arange(0, images, shard))
    found = []
    for lane in range(lanes):
        stream = np.concatenate([np.arange(start, min(start + shard, images)) for start in starts[lane::lanes]])
        held, size = stream[:buffer].tolist(), min(buffer, len(stream))
        given, places = [], rng.integers(0, max(size, 1), len(stream)).tolist()
        for image, place in zip(stream[size:].tolist(), places):
            given.append(held[place])
            held[place] = image
        found.append(np.concatenate([np.array(given, np.int64), rng.permutation(held)]))
    least = min(map(len, found))
    return np.stack([lane[:least] for lane in found], 1).ravel()


def orders_of(args):
    """The orders that are compared: name to a function of the epoch that gives images, int64 (N,)."""
    from mlaface.datasets.samplers.block_sampler import BlockSampler
    from mlaface.datasets.samplers.epoch_sampler import EpochSampler
    dataset, found = range(args.shuffle_images), {}

    def of(sampler):
        def order(epoch):
            sampler.epoch = epoch
            return sampler.order()
        return order
    found['perfect shuffle (EpochSampler)'] = of(EpochSampler(dataset, args.batch_size))
    for block, window in ((512, 4), (512, 16), (512, 64), (4096, 16)):
        found[f'BlockSampler(block={block}, window={window})'] = of(BlockSampler(
            dataset, args.batch_size, block, window, args.lanes))
    for shard in (2_500, 25_000):
        for buffer in (1_000, 10_000):
            found[f'shards of {shard}, buffer of {buffer}'] = lambda epoch, shard=shard, buffer=buffer: buffered(
                args.shuffle_images, shard, args.lanes, buffer, np.random.default_rng([1, epoch]))
    return found


def compare_shuffles(args):
    """Orders of training against a perfect shuffle.

    Args:
        args (Namespace): ``shuffle_images`` of the set, ``lanes`` (ranks), ``batch_size`` of each.

    Returns:
        dict: Benchmark JSON. A perfect shuffle has company of 1 and a correlation of 0.
    """
    count, batch = args.shuffle_images, args.lanes * args.batch_size
    people = dict(shuffled=np.random.default_rng(2).permutation(count) // IMAGES_PER_IDENTITY,
                  grouped=np.arange(count) // IMAGES_PER_IDENTITY)
    rows = []
    for name, order in orders_of(args).items():
        first, second = order(0), order(1)
        pairs = len(first) // batch * batch * (batch - 1) / 2
        before, places = _places(first, count), _places(second, count)
        both = (before >= 0) & (places >= 0)
        rows += [row(f'{name}: pairs of one identity in a batch, packed {how}',
                     [together(first, batch, groups) / pairs * (count - 1) / (IMAGES_PER_IDENTITY - 1)], 'x perfect')
                 for how, groups in people.items()]
        rows.append(row(f'{name}: pairs of a batch that meet again in the next epoch', [
            together(first, batch, places // batch + 1) / pairs * (count - 1) / (batch - 1)], 'x perfect'))
        rows.append(row(f'{name}: correlation of places in two epochs', [
            float(np.corrcoef(before[both], places[both])[0, 1])], 'r'))
    return result('data --shuffle', rows, {})


def _places(order, count):
    """Place of each image in an order, -1 of one that is left out."""
    places = np.full(count, -1, np.int64)
    places[order] = np.arange(len(order))
    return places
