"""Published recipe for MobileFaceNet on MS1M: 40 epochs, weight decay 1e-4."""
_base_ = './poly_20e_wd1e-4.py'
train_cfg = dict(max_epochs=40)
