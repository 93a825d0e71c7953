"""CosFace, ViT-T, Glint360K: vit_t_dp005_mask0."""
_base_ = ['_base_/models/vit.py', '_base_/datasets/glint360k.py', '_base_/schedules/adamw_40e.py',
         '_base_/default_runtime.py']
