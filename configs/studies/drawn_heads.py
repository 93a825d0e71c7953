"""Trained on 48,000 drawn heads of 4,000 people, verified on real faces: MLA-ArcFace and its peers against ArcFace.

``mlaface make-synthetic --style heads --out data/heads --identities 4000 --images-per-identity 12 --seed 1`` draws the
faces; ``faces_small`` is where the others look for it.
"""
title = 'What drawn heads teach of real faces'
question = 'Does multi-level attention, or CurricularFace, help where the training faces are drawn and the tested real?'
base = '../arcface_r18w025_heads.py'
common = dict(
    model=dict(flip='none'),
    val_dataloader=dict(dataset=dict(data_root='faces_small', sets=['dev_lfw', 'dev_celeba', 'dev_lowres'])),
    val_evaluator=dict(flip='none'),
    val_cfg=dict(amp='bfloat16', between=dict(every=5)))
budget = dict(max_iters=400, validations=4, processor_minutes=20)
seeds = [1, 2, 3, 4]
targets = [0.58, 0.61, 0.64]
comparisons = [('mla', 'arcface'), ('open', 'arcface'), ('curricular', 'arcface')]

_BRANCH = dict(branch=dict(type='PatchSelfAttention', channels=128, qk_channels=64, patch=28),
               fusion=dict(type='GatedFusion', channels=128))
variants = dict(
    arcface=dict(),
    mla=dict(model=dict(backbone=dict(attention=dict(type='HybridAttention'), activation='relu'), **_BRANCH)),
    open=dict(model=dict(backbone=dict(attention=dict(type='HybridAttention', gate='2 sigmoid')))),
    curricular=dict(model=dict(head=dict(margin=dict(type='CurricularFace')))))
