"""CosFace, ViT-L, Glint360K: vit_l_dp005_mask_005."""
_base_ = ['_base_/models/vit.py', '_base_/datasets/glint360k.py', '_base_/schedules/adamw_40e.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(dim=768, depth=24, mask_ratio=0.05, with_cp=True), neck=dict(in_channels=768))
