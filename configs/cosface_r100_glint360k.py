"""CosFace, IResNet-100, Glint360K as published."""
_base_ = ['_base_/models/iresnet.py', '_base_/datasets/glint360k.py', '_base_/schedules/poly_20e_wd1e-4.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=100), head=dict(margin=dict(_delete_=True, type='CosFace', s=64.0, m=0.4)))
