"""VGGFace2 (Cao et al., FG 2018), its training part: 8,631 identities, 3,141,890 images."""
_base_ = './record_sets.py'
# the count as published lets a config build without the data, and is checked against it
train_dataloader = dict(dataset=dict(data_root='vgg2', num_classes=8631))
