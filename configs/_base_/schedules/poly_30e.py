"""Published recipe of SA-ArcFace, which MLA-ArcFace extends: 30 epochs, weight decay 5e-4, no warm-up."""
_base_ = './poly_20e.py'
train_cfg = dict(max_epochs=30)
