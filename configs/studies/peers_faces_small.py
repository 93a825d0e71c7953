"""The attention plugins and margins that claim what MLA-ArcFace claims, by the plan of levels_faces_small.py."""
_base_ = './levels_faces_small.py'
title = 'Peers of multi-level attention on faces_small'
question = 'Does any attention plugin or margin of the field beat plain ArcFace at equal iterations, time and MACs?'
variants = dict(
    _delete_=True,
    arcface=dict(),
    se=dict(model=dict(backbone=dict(attention=dict(type='SqueezeExcitation')))),
    eca=dict(model=dict(backbone=dict(attention=dict(type='ECA')))),
    cbam=dict(model=dict(backbone=dict(attention=dict(type='CBAM')))),
    coordinate=dict(model=dict(backbone=dict(attention=dict(type='CoordinateAttention')))),
    simam=dict(model=dict(backbone=dict(attention=dict(type='SimAM')))),
    global_context=dict(model=dict(backbone=dict(attention=dict(type='GlobalContext')))),
    adaface=dict(model=dict(head=dict(margin=dict(type='AdaFace', m=0.4)))),
    curricular=dict(model=dict(head=dict(margin=dict(type='CurricularFace')))))
