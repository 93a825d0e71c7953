"""WebDataset's tar shards, with the index by which an image is reached."""
import struct

import numpy as np

from mlaface.datasets.archives.target import Target, further_table
from mlaface.datasets.formats.archive import key_hash
from mlaface.datasets.formats.names import member_stem
from mlaface.datasets.formats.tar_member import END, member
from mlaface.datasets.formats.tar_shards import ENTRY, write_shard_index

TABLE, FURTHER = 'index.part', 'further.part'
ROW = struct.Struct('<iiqiiQ')  # an ENTRY


class ToTar(Target):
    """``shard-000000.tar`` ..., ``index.npy``, ``shards.json``, ``classes.txt``.

    A sample is ``IDENTITY/IMAGE.jpg``, ``IDENTITY/IMAGE.cls`` and, if it has several labels, ``IDENTITY/IMAGE.json``.

    Args:
        shard_size (int): Bytes, behind which a shard ends. Default 2^28.
    """
    layout = 'tar'
    named = True

    def __init__(self, work, classes, size=(112, 112), shard_size=1 << 28):
        super().__init__(work, classes, size)
        self.shard_size = shard_size

    def open(self, state):
        """Begin or go on."""
        self.table, self.further = self.grow(TABLE, state), self.grow(FURTHER, state)
        self.number = (state or {}).get('shard', 0)
        self.shard = self.grow(self._name(self.number), state)

    @staticmethod
    def _name(number):
        return f'shard-{number:06d}.tar'

    def write(self, item):
        """Write the members of a sample."""
        if self.shard.size >= self.shard_size:
            self._end()
            self.number += 1
            self.shard = self.grow(self._name(self.number), None)
        key = f'{item.folder}/{member_stem(item.stem)}'
        image, head = member(key + item.ending, item.data)
        self.table.write(ROW.pack(self.number, item.label, self.shard.size + head, len(item.data), head, key_hash(key)))
        self.shard.write(image + member(f'{key}.cls', b'%d' % item.label)[0])
        if len(item.further):
            labels = ', '.join(f'{label:.9g}' for label in (item.label, *item.further))
            self.shard.write(member(f'{key}.json', f'{{"labels": [{labels}]}}'.encode())[0])
            self.further.write(np.asarray(item.further, '<f4').tobytes())

    def _end(self):
        self.shard.write(END)
        self.shard.sync()
        self.shard.close()
        del self.files[self._name(self.number)]

    def state(self, durable=True):
        """Flush; the shard that is being written, and the sizes of the files."""
        return dict(super().state(durable), shard=self.number)

    def finish(self, labels):
        """End the last shard and write the index."""
        self._end()
        for file in (self.table, self.further):
            file.sync()
        index = np.memmap(self.table.path, ENTRY, 'r')
        shards = [self.work / self._name(number) for number in range(self.number + 1)]
        write_shard_index(self.work, shards, index, further_table(self.further.path, len(labels)))
        self.write_classes()
        return dict(shards=len(shards))
