"""Writing a training set in InsightFace's layout, with header and identity records."""
from pathlib import Path

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.image_record import EXACT, pack
from mlaface.datasets.formats.record_writer import RecordWriter
from mlaface.utils.names import name_lines


def write_training_set(folder, images, size=(112, 112), names=None):
    """Write a training set with header and identity records.

    Args:
        folder (str | Path): Gets ``train.rec``, ``train.idx``, ``property``, and ``classes.txt`` if there are names.
        images (Iterable[tuple[int, bytes]]): Label and encoded image, grouped by label, labels from 0 upwards.
        size (tuple[int, int]): Height and width, for ``property``.
        names (Sequence[str], optional): Names of the classes.

    Returns:
        tuple[int, int]: Images and classes.

    Raises:
        FormatError: If there are more images than the identity records can count in float32, exact below 2**24.
        ValueError: If the labels are not 0, 1, 2, ... in groups.
    """
    folder = Path(folder)
    starts, key = [], 0
    with RecordWriter(folder / 'train.rec', folder / 'train.idx') as writer:
        writer.write(pack([0, 0]))
        for key, (label, image) in enumerate(images, 1):
            if label == len(starts):
                starts.append(key)
            elif label != len(starts) - 1:
                raise ValueError(f'image {key} has label {label} after label {len(starts) - 1}: the images must come '
                                 'grouped by label, and labels count up from 0')
            if key + len(starts) + 1 >= EXACT:
                raise FormatError(f'{folder}: {key} images are more than identity records can count in float32: divide '
                                  'the set, or write it without a header, by RecordWriter and pack')
            writer.write(pack(label, image, id=key))
        end = key + 1
        for start, stop in zip(starts, [*starts[1:], end]):
            writer.write(pack([start, stop]))
        writer.overwrite(0, pack([end, end + len(starts)]))
    (folder / 'property').write_text(f'{len(starts)},{size[0]},{size[1]}\n')
    if names is not None:
        (folder / 'classes.txt').write_text(name_lines(names), encoding='utf-8')
    return key, len(starts)
