"""IResNet-200 with ArcFace's head (Deng et al., CVPR 2019)."""
model = dict(
    type='FaceRecognizer',
    backbone=dict(type='IResNet', depth=200),
    neck=dict(type='EmbeddingNeck', in_channels=512, in_size=7, embedding_size=512),
    head=dict(type='MarginHead', embedding_size=512, margin=dict(type='ArcFace', s=64.0, m=0.5)))
