"""MS1MV3: 93,431 identities, 5,179,510 images."""
_base_ = './record_sets.py'
# the count as published lets a config build without the data, and is checked against it
train_dataloader = dict(dataset=dict(data_root='ms1mv3', num_classes=93431))
