"""The flagship's question after three times as many iterations, on three seeds that no study has used, in float32."""
_base_ = './flagship_faces_small.py'
title = 'MLA-ArcFace after a longer schedule'
budget = dict(max_iters=630, validations=7, processor_minutes=60)
seeds = [50, 51, 52]
comparisons = [('mla', 'arcface')]
