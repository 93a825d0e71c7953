"""MLA-ArcFace, IResNet-18, Glint360K; the published recipe of the data, with the ArcFace margin of the name."""
_base_ = ['_base_/models/mla_iresnet.py', '_base_/datasets/glint360k.py', '_base_/schedules/poly_20e_wd1e-4.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=18))
