"""A config of a tiny network and a plan over it; the data is drawn by the fixture ``tiny_faces``."""
BASE = '''
_base_ = '{root}/configs/arcface_r18w025_faces_small.py'
model = dict(backbone=dict(width=0.125, stem_stride=4), neck=dict(in_channels=64, in_size=2, embedding_size=16),
             head=dict(embedding_size=16))
train_dataloader = dict(batch_size=8, dataset=dict(data_root='{data}'))
val_dataloader = dict(batch_size=16, dataset=dict(data_root='{data}', sets=['one', 'two']))
val_evaluator = dict(flip='none')
'''
PLAN = '''
base = 'base.py'
common = dict(model=dict(flip='none'), val_cfg=dict(between=dict(every=2)))
variants = dict(plain=dict(), mine=dict(model=dict(backbone=dict(activation='relu'))))
seeds = [1, 2]
budget = dict(max_iters=6, validations=3)
targets = [0.55, 0.99]
'''
