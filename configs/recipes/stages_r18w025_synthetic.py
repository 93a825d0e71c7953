"""ArcFace in three stages, in the order of LVFace (You et al., ICCV 2025): few negatives, held centres, all classes."""
_base_ = '../arcface_r18w025_synthetic.py'
model = dict(head=dict(sample_rate=0.3, losses=[dict(type='CentroidPenalty', weight=0.0)]))
optim_wrapper = dict(optimizer=dict(type='RowSGD'))
custom_hooks = [dict(type='HeadStagesHook', stages=[
    dict(epochs=0, sample_rate=0.3),
    dict(epochs=1, weights=dict(centroid_penalty=1.0)),
    dict(epochs=2, sample_rate=1.0, weights=dict(centroid_penalty=0.0))])]
