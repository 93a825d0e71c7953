"""MLA-ArcFace, IResNet-100, WebFace12M; the data's published recipe, but for the margin (CosFace 0.4 there)."""
_base_ = ['_base_/models/mla_iresnet.py', '_base_/datasets/webface12m.py', '_base_/schedules/poly_20e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=100))
