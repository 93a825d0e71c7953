"""ArcFace, quarter-width IResNet-18 at half the resolution, 48,000 drawn heads of 4,000 people.

They are drawn by
``mlaface make-synthetic --style heads --out data/heads --identities 4000 --images-per-identity 12 --seed 1``.
"""
_base_ = ['_base_/models/iresnet_w025.py', '_base_/datasets/drawn.py', '_base_/schedules/small.py',
          '_base_/default_runtime.py']
model = dict(backbone=dict(depth=18, stem_stride=2), neck=dict(in_size=4))
optim_wrapper = dict(amp='bfloat16')
train_dataloader = dict(dataset=dict(data_root='heads'))
val_dataloader = dict(dataset=dict(data_root='heads'))
train_cfg = dict(max_epochs=4)
