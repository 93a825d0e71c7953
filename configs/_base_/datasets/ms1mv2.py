"""MS1MV2: 85,742 identities, 5,822,653 images."""
_base_ = './record_sets.py'
# the count as published lets a config build without the data, and is checked against it
train_dataloader = dict(dataset=dict(data_root='ms1mv2', num_classes=85742))
