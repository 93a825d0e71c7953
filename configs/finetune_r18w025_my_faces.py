"""ArcFace, a quarter-width IResNet-18, from trained weights to the people of a folder of yours: docs/finetuning.md."""
_base_ = ['_base_/models/iresnet_w025.py', '_base_/datasets/my_faces.py', '_base_/schedules/finetune.py',
          '_base_/default_runtime.py']
model = dict(backbone=dict(depth=18, norm_eval=True))  # statistics of few people are worse than those that were learned
