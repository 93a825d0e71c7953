"""MobileFaceNet (Chen et al., CCBR 2018) with ArcFace's head."""
model = dict(
    type='FaceRecognizer',
    backbone=dict(type='MobileFaceNet'),
    neck=dict(type='GDCNeck', in_channels=512, in_size=7, embedding_size=512),
    head=dict(type='MarginHead', embedding_size=512, margin=dict(type='ArcFace', s=64.0, m=0.5)))
