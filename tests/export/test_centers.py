"""One file of centres, and centres onto other identities."""
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mlaface.apis.model import init_model
from mlaface.cli.centers import main
from mlaface.engine.checkpoint.rows import save_rows
from mlaface.engine.errors import UserError
from mlaface.engine.hooks.init_centers import InitCentersHook
from mlaface.engine.optimizers.sgd import RowSGD
from mlaface.export.centers import Centers, ImportedRows, class_means, export_centers
from mlaface.utils.sharding import split_rows

NAMES = ['ada', 'bob', 'cid', 'dörte', 'eve']


def rows_of(count, width=3):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('block', [1, 2, 100])
def test_the_file_is_plain_safetensors(dtype, block, tmp_path):
    rows = rows_of(5).to(dtype)
    export_centers(tmp_path / 'a.safetensors', rows, NAMES, block=block)
    plain = load_file(tmp_path / 'a.safetensors')
    assert torch.equal(plain['weight'], rows) and plain['weight'].dtype == dtype
    centers = Centers(tmp_path / 'a.safetensors')
    assert centers.names == NAMES and centers.shape == (5, 3) and torch.equal(centers[1:4], rows[1:4])


@pytest.mark.parametrize('per_class', [1, 2])
def test_identities_are_matched_by_name(per_class, tmp_path):
    rows = rows_of(5 * per_class)
    export_centers(tmp_path / 'a.safetensors', rows, NAMES, per_class)
    mean = torch.tensor([0., 2., 0.])
    new = ImportedRows(Centers(tmp_path / 'a.safetensors'), ['eve', 'zoe', 'bob', 'yan'], dict(zoe=mean))
    got = new[:].view(4, per_class, 3)
    old = rows.view(5, per_class, 3)
    assert torch.equal(got[0], old[4]) and torch.equal(got[2], old[1])
    cosine = torch.nn.functional.cosine_similarity(got[1], mean[None])
    assert (cosine > 0.98).all()
    assert got[1:2].norm(dim=-1).mean() == pytest.approx(float(rows.norm(dim=1).mean()), rel=1e-5)
    assert len(got[3].unique(dim=0)) == per_class and len(got[1].unique(dim=0)) == per_class
    report = new.report()
    assert (report.kept, report.from_means, report.random) == (['eve', 'bob'], ['zoe'], ['yan'])
    assert report.removed == ['ada', 'cid', 'dörte'] and 'removed: 3 (ada, cid, dörte)' in str(report)


def test_random_centres_depend_on_seed_and_name_only(tmp_path):
    export_centers(tmp_path / 'a.safetensors', rows_of(10), NAMES, 2)
    old = Centers(tmp_path / 'a.safetensors')
    a, b = ImportedRows(old, ['new', *NAMES, 'other']), ImportedRows(old, ['other', 'new'])
    assert torch.equal(a[0:2], b[2:4]) and torch.equal(a[12:14], b[0:2])
    assert torch.equal(torch.cat([a[:5], a[5:]]), a[:]), 'a slice may cut through an identity'
    assert not torch.equal(a[0:2], ImportedRows(old, ['new'], seed=1)[:])


@pytest.mark.parametrize('names, message', [
    (NAMES[:4], '4 names'), ([*NAMES[:4], 'ada'], 'ada.*twice'), ([*NAMES[:4], ''], 'empty'),
    ([*NAMES[:4], 'a\nb'], 'line break')])
def test_bad_names_are_refused_and_leave_no_file(names, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_centers(tmp_path / 'a.safetensors', rows_of(5), names)
    assert not list(tmp_path.iterdir())


def test_a_torn_file_is_named(tmp_path):
    path = tmp_path / 'a.safetensors'
    export_centers(path, rows_of(5), NAMES)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match='a.safetensors is damaged'):
        Centers(path)
    with pytest.raises(FileNotFoundError, match='none.safetensors'):
        Centers(tmp_path / 'none.safetensors')


def test_class_means_are_mean_directions():
    embeddings = torch.tensor([[10., 0.], [0., 1.], [0., 3.]])
    means = class_means(embeddings, torch.tensor([0, 0, 2]), ['a', 'b', 'c'])
    assert set(means) == {'a', 'c'}
    torch.testing.assert_close(means['a'], torch.full((2,), 0.5 ** 0.5))
    with pytest.raises(ValueError, match='label 3.*3 classes'):
        class_means(embeddings, torch.tensor([0, 3, 1]), ['a', 'b', 'c'])
    with pytest.raises(ValueError, match='embedding 1'):
        class_means(torch.tensor([[1.], [float('nan')]]), torch.tensor([0, 0]), ['a'])


class Model(torch.nn.Module):
    def __init__(self, rank=0, world=1, classes=5):
        super().__init__()
        shard = split_rows(classes, rank, world)
        self.head = torch.nn.Linear(1, 1, bias=False)
        self.head.weight = torch.nn.Parameter(rows_of(classes)[shard.start:shard.stop])
        self.head.weight.row_shard = shard


def test_command_line_from_checkpoint_to_a_run_on_other_identities(tmp_path, capsys):
    model = Model()
    optimizer = RowSGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=0.1)
    for row in (0, 2):  # the others are left behind: the export must catch them up
        model.head.weight.grad = torch.sparse_coo_tensor([[row]], [[1., 2., 3.]], (5, 3))
        optimizer.step()
    save_rows(tmp_path / 'a.rows', model, optimizer, NAMES)
    optimizer.flush()
    main(['export', str(tmp_path / 'a.rows'), '--out', str(tmp_path / 'old.safetensors')])
    assert torch.equal(Centers(tmp_path / 'old.safetensors')[:], model.head.weight)
    (tmp_path / 'new.txt').write_text('zoe\neve\nada\n')
    torch.save(dict(embeddings=torch.tensor([[0., 0., 5.]]), labels=torch.tensor([0])), tmp_path / 'means.pth')
    main(['import', str(tmp_path / 'old.safetensors'), '--classes', str(tmp_path / 'new.txt'), '--means',
          str(tmp_path / 'means.pth'), '--out', str(tmp_path / 'new.safetensors')])
    assert 'new, from class means: 1 (zoe)' in capsys.readouterr().out
    parts = []
    for rank in range(2):
        other = Model(rank, 2, 3)
        InitCentersHook(str(tmp_path / 'new.safetensors')).before_train(runner(other, ['zoe', 'eve', 'ada']))
        parts.append(other.head.weight.detach())
    whole = torch.cat(parts)
    assert torch.equal(whole[1:], model.head.weight[[4, 0]]) and whole[0, 2] > 0 and whole[0, :2].eq(0).all()


def runner(model, classes, fresh=True):
    dataset = SimpleNamespace(metainfo=dict(classes=classes))
    return SimpleNamespace(bare_model=model, train_loop=SimpleNamespace(fresh=fresh),
                           train_dataloader=SimpleNamespace(dataset=dataset))


def test_hook_refuses_other_identities_and_leaves_a_resumed_run_alone(tmp_path):
    export_centers(tmp_path / 'a.safetensors', rows_of(5) + 1, NAMES)
    hook = InitCentersHook(str(tmp_path / 'a.safetensors'))
    with pytest.raises(ValueError, match="centre 0 is of 'ada'.*'eve'"):
        hook.before_train(runner(Model(), NAMES[::-1]))
    with pytest.raises(ValueError, match='centers import'):
        hook.before_train(runner(Model(classes=4), NAMES[:4]))
    export_centers(tmp_path / 'b.safetensors', rows_of(4), NAMES[:2], per_class=2)
    with pytest.raises(ValueError, match='4 x 3 centres, 2 a class, the head has 4 x 3, 1 a class'):
        InitCentersHook(str(tmp_path / 'b.safetensors')).before_train(runner(Model(classes=4), NAMES[:4]))
    (tmp_path / 'c.safetensors').write_bytes(b'no centres')
    for name in ('c.safetensors', 'missing.safetensors'):
        with pytest.raises(UserError, match=f'{name} is no file of centres.*write it with mlaface centers'):
            InitCentersHook(str(tmp_path / name)).before_train(runner(Model(), NAMES))
    model = Model()
    hook.before_train(runner(model, NAMES, fresh=False))
    assert torch.equal(model.head.weight, rows_of(5))


def test_missing_folder_is_an_error_in_words(tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(['export', str(tmp_path / 'none.rows'), '--out', str(tmp_path / 'x')])
    assert 'none.rows' in stop.value.code


NETWORK = '''
model = dict(type='FaceRecognizer', backbone=dict(type='IResNet', depth=18, width=0.125),
             neck=dict(type='EmbeddingNeck', in_channels=64, in_size=7, embedding_size=16),
             head=dict(type='MarginHead', embedding_size=16))
train_dataloader = dict(batch_size=2, dataset=dict(type='FolderFaces', data_root='people',
                                                   transforms=[dict(type='RandomFlip', prob=1.0)]))
'''


def test_embeddings_of_the_training_data_are_those_of_images_as_they_are(tmp_path, monkeypatch, capsys):
    generator, images = np.random.default_rng(0), []
    for name in ('ada/1.png', 'ada/2.png', 'bob/1.png'):
        (tmp_path / 'people' / name).parent.mkdir(parents=True, exist_ok=True)
        images.append(generator.integers(0, 255, (112, 112, 3), dtype=np.uint8))
        cv2.imwrite(str(tmp_path / 'people' / name), images[-1][..., ::-1])
    monkeypatch.setenv('MLAFACE_DATA', str(tmp_path))
    (tmp_path / 'net.py').write_text(NETWORK)
    network = init_model(None, tmp_path / 'net.py')
    torch.save(dict(schema=1, config=NETWORK, model=dict(state_dict=network.state_dict())), tmp_path / 'net.pth')
    main(['embed', str(tmp_path / 'net.py'), str(tmp_path / 'net.pth'), '--out', str(tmp_path / 'e.pth'),
          '--batch-size', '2'])
    assert '3 embeddings of 16' in capsys.readouterr().out
    data = torch.load(tmp_path / 'e.pth', weights_only=True)
    assert data['labels'].tolist() == [0, 0, 1]
    expected = network.extract(torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy()))
    torch.testing.assert_close(data['embeddings'], expected, rtol=1e-4, atol=1e-5)


def test_outliers_are_listed_by_name(tmp_path, capsys):
    export_centers(tmp_path / 'c.safetensors', torch.eye(4), ['ada', 'bob'], per_class=2)
    embeddings = torch.tensor([[5.0, 0, 0, 0], [2, .1, 0, 0], [.1, 3, 0, 0], [.9, 1, 0, 0], [0, 0, 0, 1]])
    torch.save(dict(embeddings=embeddings, labels=torch.tensor([0, 0, 0, 0, 1])), tmp_path / 'e.pth')
    arguments = ['outliers', str(tmp_path / 'c.safetensors'), '--embeddings', str(tmp_path / 'e.pth'), '--out',
                 str(tmp_path / 'o.csv')]
    main(arguments)
    assert (tmp_path / 'o.csv').read_text().splitlines() == ['index,identity,center,dominant,angle', '2,ada,1,0,88.09']
    assert '1 of 5 images' in capsys.readouterr().out
    main([*arguments, '--max-angle', '40'])
    assert len((tmp_path / 'o.csv').read_text().splitlines()) == 3


@pytest.mark.parametrize('content, per_class, message', [
    (dict(labels=torch.zeros(1)), 2, 'centers.py embed'), (None, 1, 'SubCenterArcFace'),
    (dict(embeddings=torch.full((1, 4), torch.nan), labels=torch.tensor([0])), 2, 'embedding 0 is not finite'),
    (dict(embeddings=torch.ones(1, 4), labels=torch.tensor([2])), 2, 'labels 2 .. 2')])
def test_outliers_need_sub_centers_and_sound_embeddings(content, per_class, message, tmp_path):
    export_centers(tmp_path / 'c.safetensors', torch.eye(4)[:2 * per_class], ['ada', 'bob'], per_class)
    torch.save(content or dict(embeddings=torch.ones(1, 4), labels=torch.tensor([0])), tmp_path / 'e.pth')
    with pytest.raises(SystemExit) as end:
        main(['outliers', str(tmp_path / 'c.safetensors'), '--embeddings', str(tmp_path / 'e.pth'), '--out',
              str(tmp_path / 'o.csv')])
    assert message in end.value.code and not (tmp_path / 'o.csv').exists()
