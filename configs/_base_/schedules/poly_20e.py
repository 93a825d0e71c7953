"""Published recipe for MS1M: 20 epochs, polynomial decay of power 2, no warm-up, weight decay 5e-4."""
optim_wrapper = dict(
    type='FaceOptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4),  # for 8 ranks of 128 images
    clip_grad=dict(max_norm=5),
    amp='float16')
param_scheduler = dict(type='WarmupPolyLR', power=2)
train_cfg = dict(type='FaceTrainLoop', max_epochs=20, val_interval=2000)
auto_scale_lr = dict(enable=False, base_batch_size=1024)
default_hooks = dict(
    logger=dict(type='FaceLogHook', interval=50),
    checkpoint=dict(type='FaceCheckpointHook', interval=2000, max_keep=3, save_best='mean_accuracy'))
