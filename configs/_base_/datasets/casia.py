"""CASIA-WebFace (Yi et al., 2014): 494,414 images of 10,575 identities; InsightFace's records 490,623 of 10,572."""
_base_ = './record_sets.py'
# the first count as published lets a config build without the data; one of them is to be that of the data
train_dataloader = dict(dataset=dict(data_root='casia', num_classes=[10575, 10572]))
