"""Rows written by some ranks and read by others."""
import copy
import json
import os
import pickle
import signal

import pytest
import torch

from mlaface.engine.checkpoint import row_writer
from mlaface.engine.checkpoint.row_manifest import read_classes, read_manifest
from mlaface.engine.checkpoint.row_reader import SavedRows, load_row_tensors
from mlaface.engine.checkpoint.row_writer import save_row_tensors
from mlaface.engine.checkpoint.rows import CurrentRows, load_rows, save_rows
from mlaface.engine.optimizers.adamw import RowAdamW
from mlaface.engine.optimizers.sgd import RowSGD
from mlaface.utils.sharding import split_rows
from tests.engine.gloo import run_ranks

CLASSES, WIDTH = 11, 3
NAMES = [f'person {i}' for i in range(CLASSES)]


class Head(torch.nn.Module):
    """As little of a sharded head as a checkpoint sees."""

    def __init__(self, rank=0, world=1, classes=CLASSES, per_class=1):
        super().__init__()
        shard = split_rows(classes, rank, world, per_class)
        whole = torch.randn(classes * per_class, WIDTH, generator=torch.Generator().manual_seed(1))
        self.weight = torch.nn.Parameter(whole[shard.start:shard.stop].clone())
        self.weight.row_shard = shard


def train(head, optimizer, first, last):
    """Sparse steps whose global gradient does not depend on the number of ranks."""
    shard = head.weight.row_shard
    for step in range(first, last):
        generator = torch.Generator().manual_seed(step)
        rows = torch.randperm(CLASSES, generator=generator)[:4].sort().values
        values = torch.randn(4, WIDTH, generator=generator)
        mine = (rows >= shard.start) & (rows < shard.stop)
        head.weight.grad = torch.sparse_coo_tensor((rows[mine] - shard.start)[None], values[mine], head.weight.shape)
        optimizer.step()


KINDS = dict(sgd=lambda p: RowSGD(p, lr=0.1, momentum=0.9, weight_decay=0.01), adamw=lambda p: RowAdamW(p, lr=0.1))


def train_and_save(rank, world, folder, kind, first, last):
    head = Head(rank, world)
    optimizer = KINDS[kind](head.parameters())
    if first:
        load_rows(folder / f'{first}.rows', head, optimizer, NAMES)
    train(head, optimizer, first, last)
    save_rows(folder / f'{last}.rows', head, optimizer, NAMES, piece=40)
    optimizer.flush()
    return head.weight.detach()


@pytest.mark.parametrize('kind', ['sgd', pytest.param('adamw', marks=pytest.mark.slow)])
def test_four_then_two_then_three_then_one_rank_is_one_run(kind, tmp_path):
    head = Head()
    optimizer = KINDS[kind](head.parameters())
    for number, (world, first) in enumerate(((4, 0), (2, 5), (3, 10), (1, 15))):
        train(head, optimizer, first, first + 5)
        parts = run_ranks(train_and_save, world, tmp_path / f'run{number}', tmp_path, kind, first, first + 5)
        twin = copy.deepcopy(head)
        flushed = KINDS[kind](twin.parameters())
        flushed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        flushed.flush()
        assert torch.equal(torch.cat(parts), twin.weight)
        assert not (tmp_path / f'.{first + 5}.rows.part').exists()


def saved(folder, classes=CLASSES, per_class=1, names=NAMES):
    head = Head(classes=classes, per_class=per_class)
    save_rows(folder, head, classes=names, piece=40)
    return head


def test_works_without_a_process_group_and_reads_slices(tmp_path):
    head = saved(tmp_path / 'a.rows')
    rows = SavedRows(tmp_path / 'a.rows', 'model.weight')
    assert len(rows) == CLASSES and rows.shape == (CLASSES, WIDTH)
    assert torch.equal(rows[2:9], head.weight[2:9])
    assert torch.equal(rows[:], head.weight)
    with pytest.raises(ValueError, match='model.weight'):
        SavedRows(tmp_path / 'a.rows', 'head.weight')


def test_sub_centres_of_a_class_stay_together(tmp_path):
    head = saved(tmp_path / 'a.rows', classes=5, per_class=3, names=None)
    other = Head(1, 2, 5, 3)
    other.weight.data.zero_()
    load_rows(tmp_path / 'a.rows', other)
    assert torch.equal(other.weight, head.weight[9:])


def test_an_older_folder_of_the_name_is_replaced(tmp_path):
    saved(tmp_path / 'a.rows')
    head = Head()
    head.weight.data.fill_(7)
    result = save_rows(tmp_path / 'a.rows', head)
    assert SavedRows(tmp_path / 'a.rows', 'model.weight')[:].eq(7).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.rows']
    assert result['folder'] == 'a.rows' and result['total'] == {'model.weight': CLASSES}
    assert result['files'] == {name: (tmp_path / 'a.rows' / name).stat().st_size for name in result['files']}


@pytest.mark.parametrize('fault, message', [
    (lambda path: path.unlink(), 'missing'), (lambda path: path.write_bytes(path.read_bytes()[:-100]), 'torn'),
    (lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]), 'damaged')],
    ids=['missing', 'torn', 'damaged'])
def test_a_bad_shard_is_named(fault, message, tmp_path):
    saved(tmp_path / 'a.rows')
    shard = next((tmp_path / 'a.rows').glob('*.distcp'))
    fault(shard)
    with pytest.raises((ValueError, FileNotFoundError), match=f'{shard.name}.*{message}'):
        load_rows(tmp_path / 'a.rows', Head())


def load_torn(rank, world, folder):
    try:
        load_rows(folder, Head(rank, world))
    except ValueError as error:
        return str(error)


@pytest.mark.slow  # on one rank it is in the default suite
def test_a_torn_shard_is_an_error_on_every_rank(tmp_path):
    saved(tmp_path / 'a.rows')
    shard = next((tmp_path / 'a.rows').glob('*.distcp'))
    shard.write_bytes(b'')
    messages = run_ranks(load_torn, 2, tmp_path / 'run', tmp_path / 'a.rows')
    assert all(shard.name in message for message in messages)


def killed_while_it_saves(rank, world, folder):
    head = Head(rank, world)
    save_rows(folder / 'a.rows', head)
    head.weight.data.zero_()
    if rank == 1:
        row_writer.describe = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    save_rows(folder / 'b.rows', head)


def test_a_kill_during_a_save_loses_nothing_and_leaves_nothing_for_long(tmp_path):
    with pytest.raises((AssertionError, FileNotFoundError)):
        run_ranks(killed_while_it_saves, 2, tmp_path / 'run', tmp_path)
    assert not (tmp_path / 'b.rows').exists()
    head = Head()
    head.weight.data.fill_(7)
    load_rows(tmp_path / 'a.rows', head)
    assert torch.equal(head.weight, Head().weight)
    assert (tmp_path / '.b.rows.part').is_dir(), 'what the killed save had written'
    save_rows(tmp_path / 'c.rows', head)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.rows', 'c.rows', 'run']


def test_an_unfinished_folder_is_no_checkpoint(tmp_path):
    saved(tmp_path / 'a.rows')
    (tmp_path / 'a.rows' / 'manifest.json').unlink()
    with pytest.raises(FileNotFoundError, match='never finished'):
        load_rows(tmp_path / 'a.rows', Head())


def test_another_class_count_names_the_identities_and_the_way(tmp_path):
    saved(tmp_path / 'a.rows')
    names = ['newcomer', *NAMES[:5], *NAMES[7:], 'other', 'third']
    with pytest.raises(ValueError) as error:
        load_rows(tmp_path / 'a.rows', Head(classes=len(names)), classes=names)
    for part in ('11 classes', '12', 'person 5, person 6', 'newcomer, other, third', 'mlaface centers'):
        assert part in str(error.value)


@pytest.mark.parametrize('names, message', [
    ([*NAMES[1:], 'x'], 'person 0.*only in the data.*x'), (NAMES[::-1], 'another order')])
def test_the_same_count_of_other_identities_is_refused(names, message, tmp_path):
    saved(tmp_path / 'a.rows')
    with pytest.raises(ValueError, match=message):
        load_rows(tmp_path / 'a.rows', Head(), classes=names)


def test_other_shapes_and_names_are_refused(tmp_path):
    head = saved(tmp_path / 'a.rows')
    with pytest.raises(ValueError, match='no rows named'):
        load_row_tensors(tmp_path / 'a.rows', {'model.centers': head.weight})
    head.weight.data = head.weight.data.double()
    with pytest.raises(ValueError, match='float32.*float64'):
        load_rows(tmp_path / 'a.rows', head)
    bare = torch.zeros(3, 2)
    with pytest.raises(ValueError, match='row_shard'):
        save_row_tensors(tmp_path / 'b.rows', dict(bare=bare))


def test_code_in_an_index_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return print, ('the trap ran',)
    saved(tmp_path / 'a.rows')
    index = tmp_path / 'a.rows' / '.metadata'
    index.write_bytes(pickle.dumps(Trap()))
    manifest = read_manifest(tmp_path / 'a.rows')
    del manifest['files']['.metadata'], manifest['checksum']
    (tmp_path / 'a.rows' / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match='not an index of rows'):
        load_rows(tmp_path / 'a.rows', Head())


def test_odd_names_come_back(tmp_path):
    names = ['a\nb', 'c\rd', 'e%0Af', '', *NAMES[4:]]
    save_rows(tmp_path / 'a.rows', Head(), None, names)
    assert read_classes(tmp_path / 'a.rows') == names


def test_rows_left_behind_are_read_up_to_date(tmp_path):
    head = Head()
    optimizer = KINDS['sgd'](head.parameters())
    train(head, optimizer, 0, 8)
    save_rows(tmp_path / 'a.rows', head, optimizer)
    stale = head.weight.detach().clone()
    optimizer.flush()
    assert not torch.equal(stale, head.weight)
    rows = CurrentRows(tmp_path / 'a.rows', 'weight')
    assert torch.equal(torch.cat([rows[:4], rows[4:]]), head.weight)
    other = Head()
    load_rows(tmp_path / 'a.rows', other)
    assert torch.equal(other.weight, head.weight)


@pytest.mark.parametrize('kind', [torch.optim.SGD, RowAdamW])
def test_an_optimizer_that_would_misread_the_state_is_refused(kind, tmp_path):
    head = Head()
    optimizer = KINDS['sgd'](head.parameters())
    train(head, optimizer, 0, 2)
    save_rows(tmp_path / 'a.rows', head, optimizer)
    with pytest.raises(ValueError, match='RowSGD'):
        load_rows(tmp_path / 'a.rows', head, kind(head.parameters(), lr=0.1))


def test_dense_momentum_of_torch_is_saved_and_read_by_either_kind(tmp_path):
    head = Head()
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
    head.weight.grad = torch.ones_like(head.weight)
    optimizer.step()
    save_rows(tmp_path / 'a.rows', head, optimizer)
    for kind in (torch.optim.SGD, RowSGD):
        other = Head()
        read = kind(other.parameters(), lr=0.1, momentum=0.9)
        load_rows(tmp_path / 'a.rows', other, read)
        assert read.state[other.weight]['momentum_buffer'].eq(1).all()
