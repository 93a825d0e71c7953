"""ArcFace, EdgeFace-XS, MS1MV3; the schedule is that of the ViTs."""
_base_ = ['_base_/models/edgeface.py', '_base_/datasets/ms1mv3.py', '_base_/schedules/adamw_40e.py',
         '_base_/default_runtime.py']
