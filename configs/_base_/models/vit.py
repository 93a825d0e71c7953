"""CosFace on ViT-T as InsightFace trains it (An et al., CVPR 2022); other sizes are stated by a config."""
model = dict(
    type='FaceRecognizer',
    backbone=dict(type='VisionTransformer', dim=256, depth=12, drop_path_rate=0.05),
    neck=dict(type='TokenNeck', in_channels=256, in_size=12, embedding_size=512),
    head=dict(type='MarginHead', embedding_size=512, margin=dict(type='CosFace', s=64.0, m=0.4), sample_rate=0.3))
