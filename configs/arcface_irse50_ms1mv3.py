"""ArcFace, IR-SE-50, MS1MV3."""
_base_ = ['_base_/models/ir_se.py', '_base_/datasets/ms1mv3.py', '_base_/schedules/poly_20e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=50))
