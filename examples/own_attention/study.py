"""Does GatedChannels help? Plain ArcFace against it on drawn faces, three seeds; docs/studies.md."""
title = 'Gated channels on drawn faces'
question = 'Does an attention plugin of my own help plain ArcFace?'
base = '../../configs/arcface_r18w025_synthetic.py'
common = dict(optim_wrapper=dict(amp='bfloat16'), val_cfg=dict(amp='bfloat16', between=dict(every=3)))
variants = dict(
    arcface=dict(),
    gated_channels=dict(
        custom_imports=dict(imports=['examples.own_attention.gated_channels']),
        model=dict(backbone=dict(attention=dict(type='GatedChannels'), attention_stages=[3, 4]))))
seeds = [1, 2, 3]
budget = dict(max_iters=150, validations=5)
targets = [0.7, 0.8]
