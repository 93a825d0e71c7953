"""CosFace, ViT-S, Glint360K: vit_s_dp005_mask_0."""
_base_ = ['_base_/models/vit.py', '_base_/datasets/glint360k.py', '_base_/schedules/adamw_40e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(dim=512), neck=dict(in_channels=512))
