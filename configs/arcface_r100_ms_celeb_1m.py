"""ArcFace, IResNet-100, MS-Celeb-1M; for want of a published recipe of this data that of MS1M."""
_base_ = ['_base_/models/iresnet.py', '_base_/datasets/ms_celeb_1m.py', '_base_/schedules/poly_20e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=100))
