"""Published recipe for Glint360K: 20 epochs, polynomial decay of power 2, weight decay 1e-4."""
_base_ = './poly_20e.py'
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
