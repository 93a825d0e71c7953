"""CurricularFace against ArcFace where each has had the same search for its learning rate, weight decay and margin."""
_base_ = './curricular_faces_small.py'
title = 'CurricularFace and ArcFace, tuned alike'
question = 'Is the lead of CurricularFace more than a margin or a learning rate that ArcFace could have had?'
seeds = [30, 31, 32, 33, 34, 35]
tuning = dict(trials=6, over=dict(lr=(0.02, 0.2, 'log'), weight_decay=(1e-4, 2e-3, 'log'), margin=(0.2, 0.5)))
