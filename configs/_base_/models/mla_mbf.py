"""MLA-ArcFace on MobileFaceNet: the same attention plugins, branch and gate on another backbone."""
_base_ = './mbf.py'
model = dict(
    backbone=dict(attention=dict(type='HybridAttention')),
    branch=dict(type='PatchSelfAttention', channels=512),
    fusion=dict(type='GatedFusion', channels=512))
