"""Full disks, diverging losses, missing data."""
import errno

import pytest
import torch

from mlaface.cli.parts.errors import explained
from mlaface.engine.checkpoint import store
from mlaface.engine.checkpoint.row_reader import SavedRows
from mlaface.engine.errors import CheckpointError, ConfigError, DivergenceError
from mlaface.engine.launch import build_runner
from mlaface.utils.errors import InputError, MissingDataError
from tests.engine.gloo import run_ranks
from tests.engine.toy import run, toy_config


def test_a_full_disk_stops_the_run_and_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    real, calls = torch.save, []

    def full(content, path):
        calls.append(path)
        if isinstance(content, dict) and content.get('loop', {}).get('iter', 0) > 5:
            path.write_bytes(b'half')
            raise OSError(errno.ENOSPC, 'No space left on device')
        real(content, path)

    monkeypatch.setattr(store.torch, 'save', full)
    with pytest.raises(CheckpointError, match='disk is full.*iter_00000005.pth, is untouched.*--resume'):
        run(tmp_path)
    assert [path.name for path in store.checkpoints(tmp_path)] == ['iter_00000005.pth']
    assert not list(tmp_path.glob('.*part*')) and not (tmp_path / 'iter_00000010.rows').exists()
    monkeypatch.setattr(store.torch, 'save', real)
    assert run(tmp_path, resume=True).iter == 15


def test_rows_of_a_save_that_was_killed_before_its_file_do_not_pass_for_those_of_the_file(tmp_path, monkeypatch):
    runner = run(tmp_path)
    latest, previous = store.checkpoints(tmp_path)[:2]

    def killed(path, content):
        raise KeyboardInterrupt

    with torch.no_grad():
        runner.bare_model.head.weight.add_(1)  # other rows in files of the same sizes
    monkeypatch.setattr(store, 'write', killed)
    with pytest.raises(KeyboardInterrupt):
        runner.save_checkpoint(tmp_path, latest.name)
    with pytest.raises(CheckpointError, match='rows of another save of this name'):
        store.read(latest)
    assert store.find_latest(tmp_path, lambda message: None) == previous


def flip_within(path, tensor):
    """Flip a bit of a tensor's bytes in a file."""
    data = bytearray(path.read_bytes())
    data[data.index(tensor.detach().numpy().tobytes()) + 5] ^= 4
    path.write_bytes(data)


def whole_on_two_ranks(rank, world, folder):
    warned = []
    return str(store.find_latest(folder, warned.append)), warned


def test_damaged_checkpoints_are_passed_over_and_named(tmp_path):
    run(tmp_path, train_cfg__max_epochs=2)
    run(tmp_path, train_cfg__max_epochs=3, resume=True)
    third, second, first = store.checkpoints(tmp_path)
    flip_within(third, store.read(third)['model']['state_dict']['backbone.0.weight'])
    rows = store.rows_folder(second)
    flip_within(next(rows.glob('*.distcp')), SavedRows(rows, 'model.head.weight')[:])
    found = run_ranks(whole_on_two_ranks, 2, tmp_path / 'ranks', tmp_path)
    assert {path for path, _ in found} == {str(first)} and all(len(warned) == 2 for _, warned in found)
    assert run(tmp_path, resume=True).iter == 15
    told = [line for line in (tmp_path / 'log.txt').read_text().splitlines() if 'passed over' in line]
    assert third.name in told[0] and 'checksum' in told[0]
    assert second.name in told[1] and '.distcp is damaged' in told[1] and len(told) == 2


@pytest.mark.parametrize('rows', [False, True], ids=['trunk', 'rows'])
def test_a_damaged_checkpoint_that_was_asked_for_ends_in_a_line(rows, tmp_path):
    run(tmp_path, train_cfg__max_epochs=1)
    path, = store.checkpoints(tmp_path)
    if rows:
        folder = store.rows_folder(path)
        flip_within(next(folder.glob('*.distcp')), SavedRows(folder, 'model.head.weight')[:])
    else:
        flip_within(path, store.read(path)['model']['state_dict']['backbone.0.weight'])
    with pytest.raises(CheckpointError, match='is damaged') as error:
        run(tmp_path, train_cfg__max_epochs=2, resume=True, load_from=str(path))
    assert len(str(error.value).splitlines()) == 1


def test_a_run_killed_while_it_writes_its_best_writes_it_after_resuming(tmp_path, monkeypatch):
    real, scores = store.write, iter([1.0, 2.0, 2.0, 0.0])

    def killed(path, content):
        if path.name == 'best_iter_00000010.pth':
            raise KeyboardInterrupt
        real(path, content)

    monkeypatch.setattr('tests.engine.toy.ToyMetric.compute_metrics', lambda *_: dict(mean_accuracy=next(scores)))
    monkeypatch.setattr(store, 'write', killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    monkeypatch.setattr(store, 'write', real)
    run(tmp_path, resume=True)
    assert store.read(tmp_path / 'best.pth')['best']['value'] == 2.0


def test_curves_that_cannot_be_drawn_do_not_hide_what_ended_the_run(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('mlaface.engine.hooks.results.draw_curves', full)
    with pytest.raises(DivergenceError, match='iteration 4'):
        run(tmp_path, model__blow_up=4)


def test_a_disk_that_fills_up_elsewhere_is_told_in_a_line():
    with pytest.raises(SystemExit, match="^error: .*'scalars.jsonl'.*--resume.$"), explained(refused=()):
        raise OSError(errno.ENOSPC, 'No space left on device', 'scalars.jsonl')


def test_a_write_limited_by_the_system_leaves_nothing_behind(tmp_path):
    import resource
    import signal
    store.write(tmp_path / 'iter_00000001.pth', dict(schema=1, model=dict(x=torch.zeros(4))))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(CheckpointError, match='iter_00000002.pth could not be written.*disk is full'):
            store.write(tmp_path / 'iter_00000002.pth', dict(schema=1, model=dict(x=torch.zeros(100_000))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['iter_00000001.pth']
    assert store.read(tmp_path / 'iter_00000001.pth')['model']['x'].shape == (4,)


def test_a_loss_that_is_not_finite_names_the_activation(tmp_path):
    expected = r'iteration 4\. First non-finite tensor: activation of neck.0 \(Flatten\)'
    with pytest.raises(DivergenceError, match=expected):
        run(tmp_path, model__blow_up=4)


def test_a_head_that_refuses_embeddings_does_not_hide_the_cause(tmp_path):
    with pytest.raises(DivergenceError, match='an embedding is not finite.*tensor: activation of neck.0'):
        run(tmp_path, model__blow_up=4, model__strict=True)


def test_a_weight_that_is_not_finite_is_named(tmp_path):
    runner = build_runner(toy_config(tmp_path))
    runner.bare_model.backbone[1].weight.data[2] = float('nan')
    with pytest.raises(DivergenceError, match=r'iteration 1\..*parameter backbone.1.weight'):
        runner.train()


def test_what_spoils_a_norm_behind_it_is_named_and_not_the_norm(tmp_path):
    runner = build_runner(toy_config(tmp_path))
    runner.bare_model.backbone[0].register_forward_hook(lambda module, args, output: output * float('nan'))
    with pytest.raises(DivergenceError, match=r'iteration 1\..*activation of backbone.0 \(Conv2d\)'):
        runner.train()


def test_a_gradient_that_is_not_finite_is_named_before_it_reaches_the_weights(tmp_path):
    runner = build_runner(toy_config(tmp_path))
    linear = runner.bare_model.neck[2]
    linear.weight.register_hook(lambda gradient: gradient / 0)
    with pytest.raises(DivergenceError, match=r'gradient norm.*gradient of neck.2.weight'):
        runner.train()
    assert all(parameter.isfinite().all() for parameter in runner.bare_model.parameters())


class Arrived:
    """A copy to the host that is there once somebody has waited for it."""
    arrived = False

    def query(self):
        return self.arrived

    def synchronize(self):
        self.arrived = True


def test_what_is_on_its_way_from_a_gpu_is_looked_at_before_weights_are_written(tmp_path, monkeypatch):
    """There a loss is looked at some steps later; a checkpoint in between would hold what it spoilt."""
    runner = build_runner(toy_config(tmp_path, default_hooks__checkpoint__interval=1))
    runner.prepare_training()
    watch = next(hook for hook in runner.hooks if type(hook).__name__ == 'DivergenceHook')
    watch.before_train(runner)
    event = Arrived()
    watch._waiting.append(('loss', torch.tensor(float('nan')), event, 1))
    monkeypatch.setattr(torch.cuda, 'synchronize', event.synchronize)
    runner.train_loop.batch = dict(images=torch.zeros(2, 3, 8, 8, dtype=torch.uint8), labels=torch.zeros(2).long())
    with pytest.raises(DivergenceError, match='loss is nan in iteration 1'):
        runner.save_checkpoint(tmp_path, 'iter_00000001.pth')
    assert not list(tmp_path.glob('iter_*'))


def test_a_loss_that_a_head_made_nan_for_a_wrong_label_names_the_label(tmp_path):
    runner = build_runner(toy_config(tmp_path, model__head=dict(type='MarginHead', embedding_size=6)))
    runner.prepare_training()
    watch = next(hook for hook in runner.hooks if type(hook).__name__ == 'DivergenceHook')
    watch.before_train(runner)
    labels = torch.tensor([1, 77])
    runner.bare_model.head._check._pending.append((Arrived(), (labels, labels > 9, labels > 99)))
    with pytest.raises(InputError, match='label 77 is outside 0 ..'):
        watch.see_loss(torch.tensor(float('nan')))


def test_float16_that_overflows_under_every_scale_stops(tmp_path):
    runner = build_runner(toy_config(tmp_path, train_cfg__max_epochs=10, optim_wrapper__amp='float16'))
    runner.bare_model.neck[2].weight.register_hook(lambda gradient: gradient / 0)
    with pytest.raises(DivergenceError, match='float16 even with a loss scale'):
        runner.train()


@pytest.mark.parametrize('amp', ['bfloat16', 'float16'])
def test_mixed_precision_learns_and_resumes(tmp_path, amp):
    runner = run(tmp_path, optim_wrapper__amp=amp)
    losses = runner.history.scalars['train/loss'][1]
    assert sum(losses[-5:]) < sum(losses[:5])
    run(tmp_path, optim_wrapper__amp=amp, train_cfg__max_epochs=4, resume=True)


def test_missing_training_data_says_where(tmp_path):
    with pytest.raises(MissingDataError, match='train_dataloader.dataset: no training set at /nowhere'):
        build_runner(toy_config(tmp_path, train_dataloader__dataset__missing='/nowhere'))


def test_a_missing_record_is_said_in_a_line_with_file_key_and_its_likest_neighbours(tmp_path):
    names = ['.hidden', 'train.idx', 'train_clean.rec', *(f'a{number}.bin' for number in range(20))]
    for name in names:
        (tmp_path / name).touch()
    config = toy_config(tmp_path, train_dataloader__dataset=dict(_delete_=True, type='RecordFaces',
                                                                 data_root=str(tmp_path)))
    with pytest.raises(MissingDataError) as error:
        build_runner(config)
    message = str(error.value)
    assert message.startswith(f'{config.filename}: train_dataloader.dataset: no training set at {tmp_path}/train.rec (')
    assert f'({tmp_path} holds train_clean.rec, train.idx, a' in message and ' and 14 more). Put it there' in message
    assert '\n' not in message and '.hidden' not in message and message.count(str(tmp_path / 'train.rec')) == 1


def test_missing_validation_data_is_found_before_training(tmp_path):
    with pytest.raises(MissingDataError, match='val_dataloader.dataset: no training set at /nowhere'):
        build_runner(toy_config(tmp_path, val_dataloader__dataset__missing='/nowhere'))


def test_a_stated_number_of_classes_must_be_that_of_the_data(tmp_path):
    with pytest.raises(ConfigError, match='model.head.num_classes is 9, but the training set has 5'):
        build_runner(toy_config(tmp_path, model__head__num_classes=9))


def test_a_batch_larger_than_the_data_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='44 images do not fill one update of 1 batches of 100'):
        run(tmp_path, train_dataloader__batch_size=100)
