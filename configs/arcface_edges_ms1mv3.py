"""ArcFace, EdgeFace-S, MS1MV3; the schedule is that of the ViTs."""
_base_ = ['_base_/models/edgeface.py', '_base_/datasets/ms1mv3.py', '_base_/schedules/adamw_40e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(size='s', rank_ratio=0.5), neck=dict(in_channels=304, rank_ratio=0.5))
