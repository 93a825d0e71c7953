"""ArcFace on IR-SE: squeeze-and-excitation (Hu et al., CVPR 2018) in every block (InsightFace_Pytorch)."""
_base_ = './iresnet.py'
model = dict(backbone=dict(attention=dict(type='SqueezeExcitation'), shortcut='subsample', inner_norm=False))
