"""Faces drawn from numbers by tools/datasets/make_synthetic.py: nothing to download."""
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    dataset=dict(type='RecordFaces', data_root='synthetic', transforms=[dict(type='RandomFlip')]))
val_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SequentialSampler'),
    dataset=dict(type='VerificationSets', data_root='synthetic',
                 sets=['synth_frontal', 'synth_pose', 'synth_occluded']))
val_evaluator = dict(type='BenchmarkMetric')
val_cfg = dict(type='FaceValLoop')
