"""MLA-ArcFace, a quarter-width IResNet-18, generated faces."""
_base_ = ['_base_/models/mla_iresnet_w025.py', '_base_/datasets/synthetic.py', '_base_/schedules/quick.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=18))
