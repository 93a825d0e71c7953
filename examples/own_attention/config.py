"""ArcFace on the quarter-width IResNet-18 with an attention plugin that lives outside mlaface."""
_base_ = '../../configs/arcface_r18w025_synthetic.py'
custom_imports = dict(imports=['examples.own_attention.gated_channels'])
model = dict(backbone=dict(attention=dict(type='GatedChannels'), attention_stages=(3, 4)))
