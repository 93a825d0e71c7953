"""Glint360K: 360,232 identities, 17,091,657 images."""
_base_ = './record_sets.py'
# the count as published lets a config build without the data, and is checked against it
train_dataloader = dict(dataset=dict(data_root='glint360k', num_classes=360232))
