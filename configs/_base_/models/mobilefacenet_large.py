"""ArcFace on the large MobileFaceNet of InsightFace's trainer, its mbf_large."""
_base_ = './mobilefacenet.py'
model = dict(backbone=dict(scale=4, blocks=(2, 8, 12, 4)))
