"""Public ways to read the same images, timed in a process of an environment that has them; imports nothing of mlaface.

    python _public_readers.py CASE PATH ORDER.npy     prints the seconds of one pass, start-up left out
"""
import sys
import time

BATCH = 128


def loader(dataset, order, collate=None):
    """torch's DataLoader with one worker, as everybody uses it."""
    from torch.utils.data import DataLoader
    return DataLoader(dataset, BATCH, sampler=order, num_workers=1, prefetch_factor=4, collate_fn=collate,
                      persistent_workers=True)


def timed(batches, images):
    """Seconds of a pass behind the first batch, scaled to all images."""
    counted, begun = 0, None
    for batch in batches:
        if begun is None:
            begun = time.perf_counter()
        else:
            counted += len(batch[0])
    return (time.perf_counter() - begun) * images / max(counted, 1)


def torchvision_folder(path, order):
    """``ImageFolder`` with PIL."""
    import numpy as np
    import torch
    register = torch.library.register_fake
    torch.library.register_fake = lambda *_, **__: lambda function: function  # a build for CUDA lacks its operators
    from torchvision.datasets import ImageFolder
    torch.library.register_fake = register
    dataset = ImageFolder(path, lambda image: torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return timed(loader(dataset, order), len(order))


def webdataset(path, order):
    """``webdataset`` in the order of the shards, which is its way, decoded as it does."""
    import glob

    import torch
    import webdataset as wds
    shards = sorted(glob.glob(f'{path}/*.tar'))
    dataset = wds.WebDataset(shards, shardshuffle=False).decode('rgb8').to_tuple('jpg', 'cls')
    batched = dataset.map_tuple(torch.from_numpy, lambda label: label).batched(BATCH)
    return timed(torch.utils.data.DataLoader(batched, None, num_workers=1, prefetch_factor=4), len(order))


class LmdbFaces:
    """An LMDB file read as everybody writes it, by ``lmdb`` and OpenCV."""

    def __init__(self, path):
        import lmdb
        self.path, self.env = path, None
        with lmdb.open(path, readonly=True, lock=False) as env, env.begin() as transaction:
            self.keys = [key for key in transaction.cursor().iternext(values=False) if not key.startswith(b'__')]

    def __len__(self):
        return len(self.keys)

    def __getitem__(self, index):
        import cv2
        import lmdb
        import numpy as np
        import torch
        if self.env is None:
            cv2.setNumThreads(1)
            self.env = lmdb.open(self.path, readonly=True, lock=False, readahead=False)
        with self.env.begin() as transaction:
            data = transaction.get(self.keys[index])
        image = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        return torch.from_numpy(image).permute(2, 0, 1), index


def lmdb_opencv(path, order):
    """``lmdb`` and OpenCV in torch's loader."""
    return timed(loader(LmdbFaces(path), order), len(order))


def mxnet_records(path, order):
    """mxnet's indexed reader and its decoder, in a bare loop: it has no worker for records in random order."""
    import numpy
    numpy.bool = bool  # mxnet 1.9.1 asks for the alias that numpy has dropped
    import mxnet as mx
    reader = mx.recordio.MXIndexedRecordIO(f'{path}/train.idx', f'{path}/train.rec', 'r')
    begun = time.perf_counter()
    for index in order:
        _, image = mx.recordio.unpack(reader.read_idx(int(index) + 1))
        mx.image.imdecode(image).asnumpy()
    return time.perf_counter() - begun


CASES = dict(torchvision=torchvision_folder, webdataset=webdataset, lmdb=lmdb_opencv, mxnet=mxnet_records)

if __name__ == '__main__':
    case, path, order = sys.argv[1:4]
    import numpy
    print(CASES[case](path, numpy.load(order).tolist()))
