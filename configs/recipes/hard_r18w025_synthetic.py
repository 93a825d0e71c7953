"""ArcFace on batches of people who look alike: 8 people and the nearest of each, by their centres, 4 images each."""
_base_ = '../arcface_r18w025_synthetic.py'
train_dataloader = dict(batch_size=64, sampler=dict(_delete_=True, type='HardIdentitySampler', images_per_identity=4))
custom_hooks = [dict(type='HardIdentityHook', first_epoch=1)]
