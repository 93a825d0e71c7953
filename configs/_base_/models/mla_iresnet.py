"""MLA-ArcFace ("multi-level attended ArcFace", 2023), or MLA-gated ArcFace, on an IResNet: its three ingredients.

The depth is stated by the config that inherits this file. ``model.variant='published'`` makes branch and gate those of
the published network, number for number.
"""
_base_ = './iresnet.py'
model = dict(
    # 1. attention in every residual block, on channels and then on places (after CBAM, Woo et al., ECCV 2018), and a
    #    ReLU after the addition, which the network has and IResNet does not
    backbone=dict(attention=dict(type='HybridAttention'), activation='relu'),
    # 2. a branch beside the trunk: self-attention over patches of the image (after SAGAN, Zhang et al., ICML 2019)
    branch=dict(type='PatchSelfAttention', channels=512),
    # 3. a gate, one learned number: map of the trunk + gate * map of the branch; neck and margin come after it
    fusion=dict(type='GatedFusion', channels=512))
