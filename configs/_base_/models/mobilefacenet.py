"""ArcFace (Deng et al., CVPR 2019) on MobileFaceNet (Chen et al., CCBR 2018)."""
model = dict(
    type='FaceRecognizer',
    backbone=dict(type='MobileFaceNet'),
    neck=dict(type='GDCNeck', in_channels=512, in_size=7, embedding_size=512),
    head=dict(type='MarginHead', embedding_size=512, margin=dict(type='ArcFace', s=64.0, m=0.5)))
