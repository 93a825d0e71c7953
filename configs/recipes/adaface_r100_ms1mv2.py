"""AdaFace (Kim et al., CVPR 2022), IResNet-100, MS1MV2: margin, augmentations and schedule as published."""
_base_ = '../arcface_r100_ms1mv2.py'
model = dict(head=dict(margin=dict(_delete_=True, type='AdaFace', s=64.0, m=0.4, h=0.333)))
train_dataloader = dict(batch_size=64, dataset=dict(transforms=[  # of 8 ranks
    dict(type='RandomFlip'),
    dict(type='RandomCrop', area=(0.2, 1.0), ratio=(3 / 4, 4 / 3), prob=0.2),
    dict(type='LowResolution', scale=(0.2, 1.0), prob=0.2),
    dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, shuffle=True, prob=0.2)]))
param_scheduler = dict(_delete_=True, type='WarmupStepLR', milestones=[12, 20, 24], by_epoch=True,
                       convert_to_iter_based=True)
train_cfg = dict(max_epochs=26)
auto_scale_lr = dict(base_batch_size=512)
