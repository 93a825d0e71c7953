"""What levels_faces_small.py found on two seeds, on seven others: only variants that are compared here are run."""
_base_ = './levels_faces_small.py'
title = 'Confirmation on seven other seeds'
seeds = [10, 11, 12, 13, 14, 15, 16]
comparisons = [('own_map', 'arcface'), ('open_channel', 'arcface'), ('mla', 'arcface')]
