"""ArcFace, MobileFaceNet, MS1MV2."""
_base_ = ['_base_/models/mobilefacenet.py', '_base_/datasets/ms1mv2.py', '_base_/schedules/poly_40e_wd1e-4.py',
         '_base_/default_runtime.py']
