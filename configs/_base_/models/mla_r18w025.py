"""MLA-ArcFace on IResNet-18 of a quarter of the width."""
_base_ = './r18w025.py'
model = dict(
    backbone=dict(attention=dict(type='HybridAttention'), activation='relu'),
    branch=dict(type='PatchSelfAttention', channels=128, qk_channels=64),
    fusion=dict(type='GatedFusion', channels=128))
