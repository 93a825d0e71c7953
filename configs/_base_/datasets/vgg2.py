"""VGGFace2 (Cao et al., FG 2018): 3,141,890 images of 8,631 identities in its training part, 9,131 in both parts."""
_base_ = './record_sets.py'
# the first count as published lets a config build without the data; one of them is to be that of the data
train_dataloader = dict(dataset=dict(data_root='vgg2', num_classes=[8631, 9131]))
