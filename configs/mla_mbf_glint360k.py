"""MLA-ArcFace, MobileFaceNet, Glint360K; the published recipe of the data, with the ArcFace margin of the name."""
_base_ = ['_base_/models/mla_mobilefacenet.py', '_base_/datasets/glint360k.py', '_base_/schedules/poly_20e_wd1e-4.py',
         '_base_/default_runtime.py']
