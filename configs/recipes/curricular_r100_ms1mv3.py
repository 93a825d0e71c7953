"""CurricularFace (s=64, m=0.5 as published), IResNet-100, MS1MV3; docs/study.md speaks of small networks."""
_base_ = '../arcface_r100_ms1mv3.py'
model = dict(head=dict(margin=dict(type='CurricularFace')))
