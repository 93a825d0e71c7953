"""MLA-ArcFace, IResNet-50, MS1MV3; the published recipe of the data, with the ArcFace margin of the name."""
_base_ = ['_base_/models/mla_iresnet.py', '_base_/datasets/ms1mv3.py', '_base_/schedules/poly_20e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=50))
