"""What the published training sets share: RecordIO, 128 images a rank, the five usual sets to verify on."""
train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='EpochSampler', shuffle=True),
    dataset=dict(type='RecordFaces', transforms=[dict(type='RandomFlip')]))
val_dataloader = dict(
    batch_size=256,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SequentialSampler'),
    dataset=dict(type='VerificationSets', data_root='verification',
                 sets=['lfw', 'cfp_fp', 'agedb_30', 'calfw', 'cplfw']))
val_evaluator = dict(type='BenchmarkMetric')
val_cfg = dict(type='FaceValLoop')
