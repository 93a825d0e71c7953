"""WebFace4M (Zhu et al., CVPR 2021), part 0 of WebFace42M: 205,990 identities, 4,235,242 images."""
_base_ = './record_sets.py'
# the count as published lets a config build without the data, and is checked against it
train_dataloader = dict(dataset=dict(data_root='webface4m', num_classes=205990))
