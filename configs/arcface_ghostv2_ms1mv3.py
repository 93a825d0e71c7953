"""ArcFace, GhostFaceNetV2-1.3-1, MS1MV3; the schedule is that of MobileFaceNet."""
_base_ = ['_base_/models/ghostfacenet.py', '_base_/datasets/ms1mv3.py', '_base_/schedules/poly_40e_wd1e-4.py',
         '_base_/default_runtime.py']
