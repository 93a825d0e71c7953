"""ArcFace, a quarter-width IResNet-18, faces_small."""
_base_ = ['_base_/models/iresnet_w025.py', '_base_/datasets/faces_small.py', '_base_/schedules/small.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=18))
