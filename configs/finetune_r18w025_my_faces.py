"""ArcFace, a quarter-width IResNet-18, from trained weights to the people of a folder of yours: docs/finetuning.md."""
_base_ = ['_base_/models/iresnet_w025.py', '_base_/schedules/small.py', '_base_/default_runtime.py']
init_centers = 'class_means'
model = dict(backbone=dict(depth=18, norm_eval=True))
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    dataset=dict(
        type='FolderFaces',
        data_root='my_faces',
        transforms=[
            dict(type='RandomFlip'),
            dict(type='RandomScale', scale=(0.9, 1.1), shift=0.04, prob=0.8),
            dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, prob=0.3),
            dict(type='LowResolution', scale=(0.3, 1.0), prob=0.2)]))
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = dict(warmup=1)
train_cfg = dict(max_epochs=20)
val_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SequentialSampler'),
    dataset=dict(type='FolderPairs', data_root='my_faces_test'))
val_evaluator = dict(type='BenchmarkMetric')
val_cfg = dict(type='FaceValLoop')
