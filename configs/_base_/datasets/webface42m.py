"""WebFace42M (Zhu et al., CVPR 2021): 2,059,906 identities, 42,474,557 images as arcface_torch counts them."""
_base_ = './record_sets.py'
# the count as published lets a config build without the data, and is checked against it
train_dataloader = dict(dataset=dict(data_root='webface42m', num_classes=2059906))
