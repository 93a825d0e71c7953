"""The quarter-width IResNet-18 on batches of a sampler that lives outside mlaface."""
_base_ = '../../configs/arcface_r18w025_synthetic.py'
custom_imports = dict(imports=['examples.own_sampler.root_sampler'])
train_dataloader = dict(sampler=dict(_delete_=True, type='RootSampler'))
