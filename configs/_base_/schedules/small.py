"""For data sets of some thousand images on one CPU: float32, warm-up of half an epoch, a validation each epoch."""
optim_wrapper = dict(
    type='FaceOptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=5))
param_scheduler = dict(type='WarmupPolyLR', power=2, warmup=0.5, by_epoch=True, convert_to_iter_based=True)
train_cfg = dict(type='FaceTrainLoop', max_epochs=10)
auto_scale_lr = dict(enable=False, base_batch_size=64)
default_hooks = dict(logger=dict(type='FaceLogHook', interval=20))
