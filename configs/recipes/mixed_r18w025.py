"""ArcFace on two sets that may share people: half of each batch of either, a head for each."""
_base_ = '../arcface_r18w025_synthetic.py'
model = dict(head=dict(_delete_=True, type='SeparateHeads', embedding_size=256, head=dict(
    type='MarginHead', margin=dict(type='ArcFace', s=32.0, m=0.35))))
train_dataloader = dict(
    sampler=dict(_delete_=True, type='MixedSampler', weights=[1, 1]),
    dataset=dict(_delete_=True, type='MixedFaces', names=['drawn', 'small'], transforms=[dict(type='RandomFlip')],
                 sets=[dict(type='RecordFaces', data_root='synthetic'),
                       dict(type='RecordFaces', data_root='faces_small')]))
