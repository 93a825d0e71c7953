"""Published recipe for ViTs: AdamW on all parameters, 40 epochs, 4 of warm-up, polynomial decay of power 2."""
_base_ = './poly_20e.py'
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='RowAdamW', lr=1e-3, weight_decay=0.1),  # for 24,576 images an update
    paramwise_cfg=dict(decay_all=True))
param_scheduler = dict(by_epoch=True, convert_to_iter_based=True, warmup=4)
train_cfg = dict(max_epochs=40)
auto_scale_lr = dict(base_batch_size=24576)
