"""Write and read records with real mxnet 1.9.1, in an environment of its own (Python 3.8 to 3.10, numpy below 1.24).

    python mxnet_fixtures.py write FOLDER            payloads and labels below -> FOLDER/mxnet.rec, mxnet.idx
    python mxnet_fixtures.py read FILE.rec FILE.idx  what mxnet reads, one line of hexadecimal a record
    python mxnet_fixtures.py both FOLDER FILE.rec FILE.idx
"""
import struct
import sys

MAGIC = struct.pack('<I', 0xCED7230A)
PAYLOADS = [b'', b'a', b'ab', b'abc', b'abcd', b'abcde', MAGIC, MAGIC + b'tail', b'abc' + MAGIC + b'x',
            b'abcd' + MAGIC + b'x', b'abcd' + MAGIC, b'abcde' + MAGIC, MAGIC + MAGIC, b'abcd' + MAGIC + MAGIC + b'ef',
            b'a' + MAGIC + MAGIC, bytes(range(256)) * 5]
LABELS = [0, 7, 16777215, 0.5, [1, 2], [3.5, 4, 5, 6]]  # each packed before the image b'image'


def _mxnet():
    import numpy
    numpy.bool = bool  # mxnet 1.9.1 asks for the alias that numpy has dropped
    from mxnet import recordio
    return recordio


def write(folder):
    """Write PAYLOADS as they are, then a record for each of LABELS."""
    recordio = _mxnet()
    writer = recordio.MXIndexedRecordIO(folder + '/mxnet.idx', folder + '/mxnet.rec', 'w')
    for key, payload in enumerate(PAYLOADS):
        writer.write_idx(key, payload)
    for key, label in enumerate(LABELS, len(PAYLOADS)):
        writer.write_idx(key, recordio.pack(recordio.IRHeader(0, label, key, 0), b'image'))
    writer.close()


def read(rec, idx):
    """Print every record in the index's order."""
    recordio = _mxnet()
    reader = recordio.MXIndexedRecordIO(idx, rec, 'r')
    for key in reader.keys:
        print(reader.read_idx(key).hex())


def both(folder, rec, idx):
    """``write`` and ``read`` in one process, since mxnet takes seconds to start."""
    write(folder)
    read(rec, idx)


if __name__ == '__main__':
    dict(write=write, read=read, both=both)[sys.argv[1]](*sys.argv[2:])
