"""MLA-ArcFace on MobileFaceNet: the three ingredients of mla_iresnet.py on another trunk."""
_base_ = './mobilefacenet.py'
model = dict(
    backbone=dict(attention=dict(type='HybridAttention')),
    branch=dict(type='PatchSelfAttention', channels=512),
    fusion=dict(type='GatedFusion', channels=512))
