"""CurricularFace, which led peers_faces_small.py on two seeds, on six others that no study has used."""
_base_ = './peers_faces_small.py'
title = 'CurricularFace on six other seeds'
question = 'Does CurricularFace beat ArcFace at equal iterations, time and MACs?'
seeds = [20, 21, 22, 23, 24, 25]
comparisons = [('curricular', 'arcface')]
