"""MLA-ArcFace on IResNet-50: attention in every block, a self-attention branch, a learned gate between them."""
_base_ = './r50.py'
model = dict(
    backbone=dict(attention=dict(type='HybridAttention'), activation='relu'),
    branch=dict(type='PatchSelfAttention', channels=512),
    fusion=dict(type='GatedFusion', channels=512))
