"""ArcFace (Deng et al., CVPR 2019) on an IResNet, whose depth is stated by the config that inherits this file."""
model = dict(
    type='FaceRecognizer',
    backbone=dict(type='IResNet'),
    neck=dict(type='EmbeddingNeck', in_channels=512, in_size=7, embedding_size=512),
    head=dict(type='MarginHead', embedding_size=512, margin=dict(type='ArcFace', s=64.0, m=0.5)))
