"""For the quickstart: a few epochs of some thousand images on two CPU cores."""
_base_ = './small.py'
train_cfg = dict(max_epochs=3)
