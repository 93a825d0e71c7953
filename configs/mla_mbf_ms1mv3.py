"""MLA-ArcFace, MobileFaceNet, MS1MV3; the published recipe of the data, with the ArcFace margin of the name."""
_base_ = ['_base_/models/mla_mobilefacenet.py', '_base_/datasets/ms1mv3.py', '_base_/schedules/poly_40e_wd1e-4.py',
         '_base_/default_runtime.py']
