"""Drawn faces to pass on what they teach: harder images than ``synthetic.py`` has; the config names the set."""
_base_ = './synthetic.py'
train_dataloader = dict(dataset=dict(transforms=[
    dict(type='RandomFlip'),
    dict(type='RandomScale', scale=(0.9, 1.1), shift=0.05, prob=0.8),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, prob=0.5),
    dict(type='LowResolution', scale=(0.3, 1.0), prob=0.3)]))
