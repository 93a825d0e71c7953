"""Class centres as one file: export of a sharded head, and import when the set of identities changes.

The file is safetensors: ``weight`` ``(classes * per_class, D)`` and ``class_names`` (uint8, one name a line), with
``per_class`` and a checksum of the file in its metadata. Names are a tensor because the format's header may not exceed
100 MB. Everything is written and read by blocks, so a head larger than memory passes through.
"""
import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from mlaface.utils.checksums import UNSEALED, check_seal, seal
from mlaface.utils.files import atomic_path

BLOCK = 1 << 15
DTYPES = {torch.float32: 'F32', torch.float16: 'F16', torch.bfloat16: 'BF16', torch.float64: 'F64'}
SHOWN = 5


def export_centers(path, rows, classes, per_class=1, block=BLOCK):
    """Write class centres and identity names to one file, by blocks.

    Args:
        path (str | Path): The ``.safetensors`` file.
        rows (object): Has ``shape`` ``(R, D)``, ``dtype`` and ``rows[start:stop]`` -> Tensor; a Tensor will do.
        classes (Sequence[str]): Identity names in label order.
        per_class (int): Rows (sub-centres) per identity.
        block (int): Rows held at a time.

    Raises:
        ValueError: If names and rows do not fit, or a name is empty, double or holds a line break.
    """
    names = _name_bytes(classes)
    total, width = rows.shape
    if total != len(classes) * per_class:
        raise ValueError(f'{len(classes):,} names with {per_class} rows each, but {total:,} rows')
    size = total * width * torch.empty((), dtype=rows.dtype).element_size()
    header = dict(__metadata__=dict(checksum=UNSEALED, per_class=str(per_class)),
                  weight=dict(dtype=DTYPES[rows.dtype], shape=[total, width], data_offsets=[0, size]),
                  class_names=dict(dtype='U8', shape=[len(names)], data_offsets=[size, size + len(names)]))
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with atomic_path(path) as temporary:
        with open(temporary, 'wb') as stream:
            stream.write(struct.pack('<Q', len(text)) + text)
            for start in range(0, total, block):
                piece = rows[start:min(total, start + block)].detach().cpu().contiguous()
                stream.write(piece.view(torch.uint8).numpy().data)
            stream.write(names)
        seal(temporary)


def _name_bytes(classes):
    names = [str(name) for name in classes]
    if len(set(names)) != len(names):
        seen = set()
        double = next(name for name in names if name in seen or seen.add(name))
        raise ValueError(f'identity name {double!r} stands twice: centres are matched by name')
    for number, name in enumerate(names):
        if not name or '\n' in name:
            raise ValueError(f'identity name {number} is {name!r}: it may not be empty or hold a line break')
    return '\n'.join(names).encode()


class Centers:
    """A file of class centres, read by slices.

    Args:
        path (str | Path): What ``export_centers`` wrote.

    Attributes:
        names (list[str]): Identity names in row order.
        per_class (int): Rows per identity.
        shape (tuple[int, int]): Rows and width.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is torn or damaged, or no file of centres.
    """

    def __init__(self, path):
        if not Path(path).is_file():
            raise FileNotFoundError(f'no file of class centres at {path}')
        check_seal(path)
        try:
            self._file = safe_open(str(path), 'pt')
            self._rows = self._file.get_slice('weight')
            names = self._file.get_tensor('class_names').numpy().tobytes().decode()
            self.per_class = int(self._file.metadata()['per_class'])
        except Exception as error:
            raise ValueError(f'{path} is torn or no file of class centres ({error})') from error
        self.names = names.split('\n') if names else []
        self.shape = tuple(self._rows.get_shape())
        self.dtype = self._rows[0:1].dtype

    def __getitem__(self, rows):
        """Rows of a slice without step, as a tensor."""
        start, stop, _ = rows.indices(self.shape[0])
        return self._rows[start:max(start, stop)]


@dataclass(frozen=True)
class ImportReport:
    """What became of the identities: names kept, new ones from class means, new ones at random, removed ones."""
    kept: list
    from_means: list
    random: list
    removed: list

    def __str__(self):
        return '\n'.join(f'{title}: {_listed(names)}' for title, names in (
            ('kept', self.kept), ('new, from class means', self.from_means), ('new, at random', self.random),
            ('removed', self.removed)))


def _listed(names):
    more = ', ...' if len(names) > SHOWN else ''
    return f'{len(names):,}' + (f' ({", ".join(names[:SHOWN])}{more})' if names else '')


class ImportedRows:
    """Rows of a new head, read by slices: an old head's centres by identity name, the rest initialised.

    A new identity's centre is the direction of its class mean where one is given, else a random direction that
    depends on seed and name only (so not on ranks, blocks or order); its length is the mean length of the old ones'.

    Args:
        old (Centers): The old head.
        classes (Sequence[str]): The new identities in label order.
        means (dict[str, Tensor] | None): Mean embeddings ``(D,)`` by name, see ``class_means``.
        seed (int): Of the random directions.

    Raises:
        ValueError: If a mean has another width than the head, or is not finite or zero.
    """

    def __init__(self, old, classes, means=None, seed=0):
        self.old, self.classes, self.means, self.seed = old, [str(name) for name in classes], means or {}, seed
        self.per_class, self.dtype = old.per_class, old.dtype
        self.shape = (len(self.classes) * old.per_class, old.shape[1])
        self._places = {name: place for place, name in enumerate(old.names)}
        for name, mean in self.means.items():
            if mean.shape != (old.shape[1],) or not mean.isfinite().all() or not mean.norm() > 0:
                raise ValueError(f'class mean of {name!r} is {tuple(mean.shape)}; it must be ({old.shape[1]},), finite '
                                 'and not zero')
        self._length = float(old[0:BLOCK].float().norm(dim=1).mean())

    def __getitem__(self, rows):
        """Rows of a slice without step, as a tensor; the slice may cut through an identity's sub-centres."""
        start, stop, _ = rows.indices(self.shape[0])
        first, last = start // self.per_class, -(-stop // self.per_class)
        picked = [self._centers(name) for name in self.classes[first:last]]
        whole = torch.cat(picked) if picked else torch.empty(0, self.shape[1], dtype=self.dtype)
        return whole[start - first * self.per_class:stop - first * self.per_class]

    def _centers(self, name):
        if name in self._places:
            place = self._places[name] * self.per_class
            return self.old[place:place + self.per_class]
        noise = torch.randn(self.per_class, self.shape[1], generator=_generator(self.seed, name))
        noise = torch.nn.functional.normalize(noise)
        if name in self.means:  # sub-centres apart from each other, or they would stay one for ever
            apart = 0.0 if self.per_class == 1 else 0.1
            noise = torch.nn.functional.normalize(self.means[name].float() / self.means[name].norm() + apart * noise)
        return (noise * self._length).to(self.dtype)

    def report(self):
        """Which identities were kept, made and removed, as ``ImportReport``."""
        new = [name for name in self.classes if name not in self._places]
        wanted = set(self.classes)
        return ImportReport(kept=[name for name in self.classes if name in self._places],
                            from_means=[name for name in new if name in self.means],
                            random=[name for name in new if name not in self.means],
                            removed=[name for name in self.old.names if name not in wanted])


def _generator(seed, name):
    digest = hashlib.sha256(f'{seed}/{name}'.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], 'little'))


def class_means(embeddings, labels, classes):
    """Mean direction of each class's embeddings.

    Args:
        embeddings (Tensor): ``(N, D)``, of any length; each is normalised first.
        labels (Tensor): int64 ``(N,)``, indices into ``classes``.
        classes (Sequence[str]): Identity names.

    Returns:
        dict[str, Tensor]: ``(D,)`` of length 1 by name, for classes that occur.

    Raises:
        ValueError: If a label is out of range or an embedding is not finite; names the first.
    """
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
        wrong = labels[(labels < 0) | (labels >= len(classes))][0].item()
        raise ValueError(f'label {wrong} is out of range: there are {len(classes)} classes')
    broken = (~embeddings.isfinite().all(1)).nonzero()
    if len(broken):
        raise ValueError(f'embedding {broken[0].item()} is not finite')
    unit = torch.nn.functional.normalize(embeddings.double())
    sums = torch.zeros(len(classes), embeddings.shape[1], dtype=torch.float64).index_add_(0, labels, unit)
    present = torch.bincount(labels, minlength=len(classes)).nonzero().squeeze(1)
    means = torch.nn.functional.normalize(sums[present]).float()
    return {str(classes[index]): mean for index, mean in zip(present.tolist(), means)}
