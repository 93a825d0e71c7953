"""ArcFace, MobileFaceNet, generated faces."""
_base_ = ['_base_/models/mobilefacenet.py', '_base_/datasets/synthetic.py', '_base_/schedules/quick.py',
         '_base_/default_runtime.py']
