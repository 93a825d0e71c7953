"""Your own people: a folder each in ``my_faces`` to train on, and in ``my_faces_test`` to test on."""
_base_ = './faces_small.py'  # for its transforms
train_dataloader = dict(batch_size=32, dataset=dict(type='FolderFaces', data_root='my_faces'))
val_dataloader = dict(dataset=dict(_delete_=True, type='FolderPairs', data_root='my_faces_test'))
