"""MLA-ArcFace, IResNet-18, MS1MV2; the schedule of SA-ArcFace."""
_base_ = ['_base_/models/mla_iresnet.py', '_base_/datasets/ms1mv2.py', '_base_/schedules/poly_30e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=18))
