"""MLA-ArcFace, and its attention with open gates, on five seeds that no study has used, in float32.

confirm_faces_small.py asks the same of seeds 10 to 16 in bfloat16, which few processors have.
"""
_base_ = './levels_faces_small.py'
title = 'MLA-ArcFace on five other seeds'
question = 'Does multi-level attention, closed or open, beat ArcFace at equal iterations, time and MACs?'
common = dict(val_cfg=dict(amp=None), optim_wrapper=dict(amp=None))
seeds = [40, 41, 42, 43, 44]
comparisons = [('mla', 'arcface'), ('open', 'arcface')]
