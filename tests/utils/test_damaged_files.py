"""Files of weights that are not as they were written: refused in one line, or every number in them is the same."""
import io
import random
import warnings
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mlaface.apis.networks import open_network
from mlaface.engine.checkpoint.rows import CurrentRows, load_rows, save_rows
from mlaface.evaluation.networks.onnx_file import OnnxNetwork
from mlaface.evaluation.networks.torchscript import ScriptNetwork
from mlaface.export.centers import Centers, export_centers
from mlaface.export.export import export_model
from mlaface.utils.archive import CheckedArchive
from mlaface.utils.checksums import DamagedFileError, checksum
from mlaface.utils.files import load_tensors
from mlaface.utils.sharding import split_rows
from tests.models import tiny

CONTENT = dict(schema=1, lr=[0.1, 2], rng=torch.arange(500, dtype=torch.uint8), half=torch.randn(9, 9).bfloat16(),
               view=torch.arange(30.)[3:9], none=torch.zeros(0),
               model={f'layer{i}.weight': torch.randn(16, 16) for i in range(8)})


def flip(data, place, draw):
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1:]


def swap(data, place, draw):
    """The bytes around one place and around another change places, by the size of a layer."""
    size = min(1024, len(data) // 4)
    first, second = draw.randrange(len(data) // 2 - size), len(data) // 2 + draw.randrange(len(data) // 2 - size)
    parts = data[:first], data[first:first + size], data[first + size:second], data[second:second + size]
    return parts[0] + parts[3] + parts[2] + parts[1] + data[second + size:]


DAMAGE = dict(
    flip=flip, swap=swap,
    three=lambda data, place, draw: flip(flip(flip(data, place, draw), len(data) // 2, draw), place // 2, draw),
    cut=lambda data, place, draw: data[:place],
    insert=lambda data, place, draw: data[:place] + draw.randbytes(draw.choice((1, 64, 4096))) + data[place:],
    remove=lambda data, place, draw: data[:place] + data[place + draw.choice((1, 64, 4096)):],
    zero=lambda data, place, draw: data[:place] + bytes(min(512, len(data) - place)) + data[place + 512:])


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


def survivors(path, damaged, read, wanted, errors=(ValueError, FileNotFoundError)):
    """How many of the copies were read; each of them must hold what the whole file holds."""
    count = 0
    for data in damaged:
        path.write_bytes(data)
        try:
            found = read(path)
        except errors as error:
            assert len(str(error).splitlines()) == 1 and path.name in str(error), error
        else:
            assert same(found, wanted)
            count += 1
    return count


def copies(data, kind, number, seed=0):
    draw = random.Random(seed)
    damaged = [DAMAGE[kind](data, draw.randrange(len(data)), draw) for _ in range(number)]
    return [copy for copy in damaged if copy != data]


def saved(content=CONTENT, **options):
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def payload(data):
    """Places of a ``.pth`` file that hold the bytes of its records, as they are."""
    for record in filter(lambda record: not record.compress_type, zipfile.ZipFile(io.BytesIO(data)).infolist()):
        names = data[record.header_offset + 26:record.header_offset + 30]
        start = record.header_offset + 30 + sum(np.frombuffer(names, '<u2').tolist())
        yield from range(start, start + record.file_size)


@pytest.mark.parametrize('kind', DAMAGE)
def test_a_damaged_checkpoint_is_refused_or_holds_the_same(kind, tmp_path):
    data = saved()
    left = survivors(tmp_path / 'a.pth', copies(data, kind, 60), load_tensors, CONTENT)
    assert left < 30, 'only what lies between the records may be lost'


def test_no_flipped_bit_of_a_record_is_accepted(tmp_path):
    data, draw = saved(), random.Random(3)
    places = draw.sample(list(payload(data)), 150)
    assert survivors(tmp_path / 'a.pth', [flip(data, p, draw) for p in places], load_tensors, CONTENT) == 0


@pytest.mark.slow
@pytest.mark.parametrize('bit', range(8))
def test_every_bit_between_the_records(bit, tmp_path):
    """Headers and directory: lengths, places, kinds of storage. Names of several lengths shift the places."""
    path = tmp_path / ('a' * (bit + 1) + '.pth')
    torch.save(CONTENT, path)
    data = path.read_bytes()
    outside = sorted(set(range(len(data))) - set(payload(data)))
    survivors(path, [data[:p] + bytes([data[p] ^ 1 << bit]) + data[p + 1:] for p in outside], load_tensors, CONTENT)


@pytest.mark.parametrize('field, value', [(27, 0x40), (29, 0x40)], ids=['name', 'extra'])
def test_a_header_that_sends_torch_elsewhere(field, value, tmp_path):
    """Other whole bytes of the file, or none, are not the record's."""
    data = bytearray(saved())
    record = zipfile.ZipFile(io.BytesIO(data)).getinfo('archive/data/2')
    for change in (value, 4, 1 << 7):
        damaged = bytearray(data)
        damaged[record.header_offset + field] ^= change
        assert survivors(tmp_path / 'a.pth', [bytes(damaged)], load_tensors, CONTENT) == 0


def test_a_damaged_file_is_named_with_its_record(tmp_path):
    data = saved()
    place = data.index(CONTENT['model']['layer3.weight'].numpy().tobytes())
    (tmp_path / 'a.pth').write_bytes(data[:place] + bytes([data[place] ^ 0xff]) + data[place + 1:])
    with pytest.raises(DamagedFileError, match=r'a.pth is damaged: its record archive/data/\d+ .*Copy it again'):
        load_tensors(tmp_path / 'a.pth')


def deflated(data):
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive:
        for record in source.infolist():
            archive.writestr(record, source.read(record), zipfile.ZIP_DEFLATED)
    return target.getvalue()


def test_a_file_that_was_compressed_is_read_and_checked(tmp_path):
    data = deflated(saved())
    (tmp_path / 'a.pth').write_bytes(data)
    assert same(load_tensors(tmp_path / 'a.pth'), CONTENT)
    assert survivors(tmp_path / 'a.pth', copies(data, 'flip', 60), load_tensors, CONTENT) < 30


@pytest.fixture
def no_checksums():
    torch.serialization.set_crc32_options(False)
    yield
    torch.serialization.set_crc32_options(True)


def test_formats_without_checksums_are_read_with_a_warning(tmp_path, no_checksums):
    with pytest.warns(UserWarning, match='a.pth carries no checksums'):
        (tmp_path / 'a.pth').write_bytes(saved(_use_new_zipfile_serialization=False))
        assert same(load_tensors(tmp_path / 'a.pth'), CONTENT)
    with pytest.warns(UserWarning, match='b.pth carries no checksums'):
        (tmp_path / 'b.pth').write_bytes(saved())
        assert same(load_tensors(tmp_path / 'b.pth'), CONTENT)
    save_file(CONTENT['model'], tmp_path / 'c.safetensors')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert load_tensors(tmp_path / 'c.safetensors').keys() == CONTENT['model'].keys()


@pytest.mark.parametrize('damage, refused', [(0, False), (1, True)])
def test_records_that_are_read_in_pieces_are_checked_too(damage, refused, tmp_path):
    data = bytearray(saved())
    place = data.index(CONTENT['model']['layer3.weight'].numpy().tobytes())
    data[place + 500] ^= damage
    (tmp_path / 'a.pth').write_bytes(data)
    with open(tmp_path / 'a.pth', 'rb', buffering=0) as stream:
        archive = CheckedArchive(stream, 'a.pth')
        archive.seek(place)
        while archive.tell() < place + 1024 and archive.read(100):
            pass
        if refused:
            with pytest.raises(DamagedFileError):
                archive.check()
        else:
            archive.check()


class Head(torch.nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(11, 64, generator=torch.Generator().manual_seed(seed)))
        self.weight.row_shard = split_rows(11, 0, 1)


def read_head(folder):
    """Rows as a run loads them, and as the export reads them; both must refuse, or neither."""
    head = Head(seed=1)
    load_rows(folder, head)
    assert torch.equal(CurrentRows(folder, 'weight')[:], head.weight)
    return head.weight.detach()


@pytest.mark.parametrize('kind', DAMAGE)
@pytest.mark.parametrize('name', ['__0_0.distcp', '.metadata', 'manifest.json', 'classes.txt'])
def test_damaged_rows_are_refused_or_hold_the_same(name, kind, tmp_path):
    head, folder = Head(), tmp_path / 'a.rows'
    save_rows(folder, head, classes=[f'person {i}' for i in range(11)], piece=256)
    path = folder / name

    def read(path):
        try:
            return read_head(folder)
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f'{path.name}: {error}') from error
    left = survivors(path, copies(path.read_bytes(), kind, 8), read, head.weight.detach())
    assert left < 8


def test_damaged_centres_are_refused(tmp_path):
    path = tmp_path / 'a.safetensors'
    export_centers(path, torch.randn(6, 32), ['a', 'b', 'c'], per_class=2)
    data, wanted = path.read_bytes(), Centers(path)[:]
    for kind in DAMAGE:
        assert survivors(path, copies(data, kind, 8), lambda p: Centers(p)[:], wanted) < 8


@pytest.fixture(scope='module')
def onnx_file(tmp_path_factory):
    pytest.importorskip('onnxruntime')
    path = tmp_path_factory.mktemp('onnx') / 'a.onnx'
    export_model(tiny.recognizer(), path, opset=17)
    return path.read_bytes()


@pytest.mark.parametrize('kind', DAMAGE)
def test_a_damaged_onnx_file_of_ours_is_refused(kind, onnx_file, tmp_path):
    images = tiny.images(2).numpy()
    (tmp_path / 'a.onnx').write_bytes(onnx_file)
    wanted = torch.from_numpy(OnnxNetwork(tmp_path / 'a.onnx').embed(images))
    assert survivors(tmp_path / 'a.onnx', copies(onnx_file, kind, 8),
                     lambda path: torch.from_numpy(OnnxNetwork(path).embed(images)), wanted) == 0


def test_a_damaged_script_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(3, 400)).save(tmp_path / 'a.pt')
    ScriptNetwork(tmp_path / 'a.pt')
    data, draw = (tmp_path / 'a.pt').read_bytes(), random.Random(0)
    places = draw.sample(sorted(payload(data)), 30)
    assert survivors(tmp_path / 'a.pt', [flip(data, place, draw) for place in places], ScriptNetwork, None) == 0


@pytest.mark.parametrize('kind', DAMAGE)
def test_a_broken_directory_is_told_in_a_line_by_whoever_opens_a_model(kind, tmp_path):
    torch.jit.script(torch.nn.Linear(3, 4)).save(tmp_path / 'a.pt')
    for path, data in ((tmp_path / 'a.pth', saved()), (tmp_path / 'a.pt', (tmp_path / 'a.pt').read_bytes())):
        start, draw = zipfile.ZipFile(io.BytesIO(data)).start_dir, random.Random(0)
        for place in draw.sample(range(start, len(data)), 12):
            path.write_bytes(DAMAGE[kind](data, place, draw))
            try:
                open_network(str(path))
            except ValueError as error:
                assert len(str(error).splitlines()) == 1 and path.name in str(error)


def test_the_sum_of_a_file_is_that_of_zlib(tmp_path):
    import zlib
    for size in (0, 1, 1 << 18, (1 << 18) + 7):
        (tmp_path / 'a').write_bytes(random.Random(size).randbytes(size))
        assert checksum(tmp_path / 'a') == f'{zlib.crc32((tmp_path / "a").read_bytes()):08x}'
