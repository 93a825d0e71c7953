"""MLA-ArcFace, IResNet-100, WebFace42M.

The data's published recipe and a fifth of the classes a step, but for the margin (CosFace 0.4 there).
"""
_base_ = ['_base_/models/mla_iresnet.py', '_base_/datasets/webface42m.py', '_base_/schedules/poly_20e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=100), head=dict(sample_rate=0.2))
