"""faces_small: 419 identities and 7,870 images of LFW and CelebA, with three small sets to verify on."""
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    dataset=dict(
        type='RecordFaces',
        data_root='faces_small',
        transforms=[
            dict(type='RandomFlip'),
            dict(type='RandomScale', scale=(0.9, 1.1), shift=0.04, prob=0.8),
            dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, prob=0.3),
            dict(type='LowResolution', scale=(0.3, 1.0), prob=0.2)]))
val_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SequentialSampler'),
    dataset=dict(type='VerificationSets', data_root='faces_small', sets=['dev_lfw', 'dev_celeba', 'dev_lowres']))
val_evaluator = dict(type='BenchmarkMetric')
val_cfg = dict(type='FaceValLoop')
