"""MLA-ArcFace, MobileFaceNet, faces_small."""
_base_ = ['_base_/models/mla_mobilefacenet.py', '_base_/datasets/faces_small.py', '_base_/schedules/small.py',
         '_base_/default_runtime.py']
