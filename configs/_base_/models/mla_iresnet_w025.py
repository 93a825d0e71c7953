"""MLA-ArcFace on an IResNet of a quarter of the width, with 256-d embeddings, as iresnet_w025.py is ArcFace."""
_base_ = './mla_iresnet.py'
model = dict(
    channels_last=True,  # faster convolutions on CPU: docs/performance.md
    backbone=dict(width=0.25),
    branch=dict(channels=128, qk_channels=64),
    fusion=dict(channels=128),
    neck=dict(in_channels=128, embedding_size=256),
    head=dict(embedding_size=256, margin=dict(s=32.0, m=0.35)))
