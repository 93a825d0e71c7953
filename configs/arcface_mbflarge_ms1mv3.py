"""ArcFace, the large MobileFaceNet, MS1MV3."""
_base_ = ['_base_/models/mobilefacenet_large.py', '_base_/datasets/ms1mv3.py', '_base_/schedules/poly_40e_wd1e-4.py',
         '_base_/default_runtime.py']
