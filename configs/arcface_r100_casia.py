"""ArcFace, IResNet-100, CASIA-WebFace; 30 epochs as MS1MV2, where the paper of ArcFace has 33 in steps."""
_base_ = ['_base_/models/iresnet.py', '_base_/datasets/casia.py', '_base_/schedules/poly_30e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=100))
