"""ArcFace on an IResNet of a quarter of the width, with 256-d embeddings: at depth 18 it trains on two CPU cores."""
_base_ = './iresnet.py'
model = dict(
    channels_last=True,  # faster convolutions on CPU: docs/performance.md
    backbone=dict(width=0.25),
    neck=dict(in_channels=128, embedding_size=256),
    head=dict(embedding_size=256, margin=dict(s=32.0, m=0.35)))
