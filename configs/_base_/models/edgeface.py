"""ArcFace on EdgeFace-XS with gamma 0.6 (George et al., IEEE T-BIOM 2024); other sizes are stated by a config."""
model = dict(
    type='FaceRecognizer',
    backbone=dict(type='EdgeFace', size='xs', rank_ratio=0.6),
    neck=dict(type='PoolNeck', in_channels=192, in_size=3, embedding_size=512, rank_ratio=0.6),
    head=dict(type='MarginHead', embedding_size=512, margin=dict(type='ArcFace', s=64.0, m=0.5)))
