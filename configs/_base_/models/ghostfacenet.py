"""ArcFace on GhostFaceNetV2-1.3-1 (Alansari et al., IEEE Access 2023)."""
model = dict(
    type='FaceRecognizer',
    backbone=dict(type='GhostFaceNet', version=2, width=1.3, stem_stride=1),
    neck=dict(type='GDCNeck', in_channels=1248, in_size=7, embedding_size=512),
    head=dict(type='MarginHead', embedding_size=512, margin=dict(type='ArcFace', s=64.0, m=0.5)))
