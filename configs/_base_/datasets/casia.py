"""CASIA-WebFace (Yi et al., 2014): 10,575 identities; 494,414 images, 490,623 in the aligned records of InsightFace."""
_base_ = './record_sets.py'
# the count as published lets a config build without the data, and is checked against it
train_dataloader = dict(dataset=dict(data_root='casia', num_classes=10575))
