"""Archives as disks leave them: refused in a line that names the file, or read as what they hold."""
import pytest

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.lmdb_set import LmdbSet
from mlaface.datasets.prepare.inspect import open_set
from tests.damage import check_refusals, damaged_copies
from tests.datasets.archive_sets import converted, face, people, table_row

pytestmark = pytest.mark.filterwarnings('ignore')
FEW = {'ann': 1, 'bob': 2}


def everything(root):
    """Open a set and read every image and key of it; a fault of one is told with its archive."""
    def read(path):
        dataset = open_set(root)
        for index in range(len(dataset)):
            try:
                dataset.encoded(index)
                dataset.key(index)
            except FormatError as error:
                raise FormatError(f'{path.name}: {" ".join(str(error).split())}') from error
        return dataset
    return read


def check(path, root, number=150, cuts=60):
    assert check_refusals(path, damaged_copies(path.read_bytes(), number, cuts), everything(root)) >= 0


@pytest.mark.parametrize('name', ['index.npy', 'shards.json', 'shard-000000.tar'])
def test_tar_shards(tmp_path, name):
    converted(people(tmp_path / 'people', FEW), tmp_path / 'set', 'tar')
    path = tmp_path / 'set' / name
    copies = damaged_copies(path.read_bytes(), 150, 60)

    def read(path):
        try:
            return everything(tmp_path / 'set')(path)
        except FormatError as error:  # the index and the shards' list are named together, or a shard that does not fit
            raise FormatError(f'{path.name}: {error}') from error
        except FileNotFoundError as error:
            raise FormatError(f'{path.name}: {error}') from error
    check_refusals(path, copies, read)


def test_a_tar_file_of_others(tmp_path):
    converted(people(tmp_path / 'people', FEW), tmp_path / 'set', 'tar')
    path = (tmp_path / 'set' / 'shard-000000.tar').rename(tmp_path / 'a.tar')
    check(path, path)


def test_parquet(tmp_path):
    pytest.importorskip('pyarrow')
    converted(people(tmp_path / 'people', FEW), tmp_path / 'set', 'parquet')
    path = next((tmp_path / 'set').rglob('*.parquet'))
    check(path, path)


def test_lists_and_tables(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(face(1))
    (tmp_path / 'a.lst').write_text('0\t0.000000\ta.jpg\n1\t1.000000\ta.jpg\n')
    check(tmp_path / 'a.lst', tmp_path / 'a.lst')
    (tmp_path / 'a.tsv').write_text(table_row('m.01', 1, 0, face(1)) + table_row('m.02', 1, 0, face(2)))
    check(tmp_path / 'a.tsv', tmp_path / 'a.tsv')


def test_lmdb_that_is_cut_off(tmp_path):
    """A page that is changed within LMDB cannot be told, as it has no checksums; a page that is not there can."""
    pytest.importorskip('lmdb')
    converted(people(tmp_path / 'people', FEW), tmp_path / 'set', 'lmdb')
    path = tmp_path / 'set' / 'data.mdb'
    data = path.read_bytes()
    for size in (0, 10, 4096, 8192, len(data) // 2, len(data) - 4096, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(FormatError, match='set'):
            LmdbSet(tmp_path / 'set')
