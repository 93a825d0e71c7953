"""Your own people: a folder each in ``my_faces`` to train on, and in ``my_faces_test`` to test on."""
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
val_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SequentialSampler'),
    dataset=dict(type='FolderPairs', data_root='my_faces_test'))
val_evaluator = dict(type='BenchmarkMetric')
val_cfg = dict(type='FaceValLoop')
