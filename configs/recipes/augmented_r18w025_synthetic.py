"""Every kind of augmentation on generated faces, to look at: mlaface browse-dataset ... --drawn --each."""
_base_ = '../arcface_r18w025_synthetic.py'
train_dataloader = dict(dataset=dict(transforms=[
    dict(type='RandomFlip'),
    dict(type='RandomScale'),
    dict(type='RandAugment', n=2, magnitude=9, prob=0.5),
    dict(type='RandomCrop', prob=0.2),
    dict(type='LowResolution', prob=0.2),
    dict(type='ColorJitter', shuffle=True, prob=0.2),
    dict(type='RandomBlur', prob=0.1),
    dict(type='JPEGCompression', prob=0.1),
    dict(type='FaceMask', prob=0.1),
    dict(type='Sunglasses', prob=0.05),
    dict(type='RandomOcclusion', prob=0.1)]))
