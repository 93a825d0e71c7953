"""ArcFace with a triplet loss beside it, on batches of 16 people with 4 images each."""
_base_ = '../arcface_r18w025_synthetic.py'
model = dict(head=dict(losses=[dict(
    type='pml.TripletMarginLoss', weight=0.1, margin=0.2,
    miner=dict(type='pml.TripletMarginMiner', margin=0.2, type_of_triplets='semihard'))]))
train_dataloader = dict(batch_size=64, sampler=dict(_delete_=True, type='IdentitySampler', images_per_identity=4))
