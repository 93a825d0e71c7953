"""CurricularFace where docs/study.md found it ahead of ArcFace: quarter-width IResNet-18, faces_small."""
_base_ = '../arcface_r18w025_faces_small.py'
model = dict(head=dict(margin=dict(type='CurricularFace')))
