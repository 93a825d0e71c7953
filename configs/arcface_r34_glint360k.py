"""ArcFace, IResNet-34, Glint360K; the data's published recipe, but for the margin (CosFace 0.4 there)."""
_base_ = ['_base_/models/iresnet.py', '_base_/datasets/glint360k.py', '_base_/schedules/poly_20e_wd1e-4.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=34))
