"""The quarter-width IResNet-18 with a margin that lives outside mlaface."""
_base_ = '../../configs/arcface_r18w025_synthetic.py'
custom_imports = dict(imports=['examples.own_margin.linear'])
model = dict(head=dict(margin=dict(_delete_=True, type='LinearMargin', s=64.0, m=0.4)))
