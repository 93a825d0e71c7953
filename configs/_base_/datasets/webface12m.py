"""WebFace12M (Zhu et al., CVPR 2021), parts 0 to 2 of WebFace42M: 617,970 identities, 12,720,066 images."""
_base_ = './record_sets.py'
# the count as published lets a config build without the data, and is checked against it
train_dataloader = dict(dataset=dict(data_root='webface12m', num_classes=617970))
