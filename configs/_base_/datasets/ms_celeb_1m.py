"""MS-Celeb-1M (Guo et al., ECCV 2016): 100,000 identities and 10 million images, as its owners state them."""
_base_ = './record_sets.py'
# Unverified, and round: the owners' own cropped faces were 8,456,240 of 99,892 identities, and every cleaned list has
# fewer. So no count is stated that files would be held to; the number of classes is that of the files.
train_dataloader = dict(dataset=dict(data_root='ms_celeb_1m'))
