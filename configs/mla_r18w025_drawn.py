"""MLA-ArcFace, quarter-width IResNet-18, 40,000 drawn faces of 2,000 people, harder images: the small model we ship.

``mlaface make-synthetic --out data/drawn --identities 2000 --images-per-identity 20 --seed 1`` draws the faces.
"""
_base_ = ['_base_/models/mla_iresnet_w025.py', '_base_/datasets/drawn.py', '_base_/schedules/small.py',
         '_base_/default_runtime.py']
model = dict(backbone=dict(depth=18))
train_dataloader = dict(dataset=dict(data_root='drawn'))
val_dataloader = dict(dataset=dict(data_root='drawn'))
train_cfg = dict(max_epochs=6)
