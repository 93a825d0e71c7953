"""From trained weights: a fifth of the rate, and centres that begin at the class means."""
_base_ = './small.py'
init_centers = 'class_means'
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = dict(warmup=1)
train_cfg = dict(max_epochs=20)
