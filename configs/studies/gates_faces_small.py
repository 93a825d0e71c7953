"""What levels_faces_small.py left out: pairs of levels, gates, norms, and attention beside the margin that leads."""
_base_ = './levels_faces_small.py'
title = 'Pairs of levels, gates and norms, and attention beside CurricularFace'
question = 'Do pairs of levels, other gates or norms, or a better margin make attention pay?'

_CLOSED = dict(type='HybridAttention')
_OPEN = dict(type='HybridAttention', gate='2 sigmoid')
_CHANNEL, _SPATIAL = dict(_OPEN, levels=['channel']), dict(_OPEN, levels=['spatial'])
_PATCHES = dict(type='PatchSelfAttention', channels=128, qk_channels=64)
_OWN_MAP = dict(branch=dict(type='MapSelfAttention', channels=128, position='relative'),
                fusion=dict(type='GatedFusion', channels=128, norm='none', init=0.0))
_CURRICULAR = dict(margin=dict(type='CurricularFace'))


def _mla(attention=None, **fusion):
    """MLA-ArcFace, our form, with other options of its gates."""
    return dict(backbone=dict(attention=dict(_CLOSED, **attention or {}), activation='relu'), branch=_PATCHES,
                fusion=dict(type='GatedFusion', channels=128, **fusion))


variants = dict(
    arcface=dict(),
    mla=dict(model=_mla()),
    published=dict(model=dict(_mla(), variant='published')),
    curricular=dict(model=dict(head=_CURRICULAR)),
    curricular_own_map=dict(model=dict(_OWN_MAP, head=_CURRICULAR)),
    curricular_channel=dict(model=dict(backbone=dict(attention=_CHANNEL), head=_CURRICULAR)),
    open_own_map=dict(model=dict(_OWN_MAP, backbone=dict(attention=_OPEN))),
    channel_own_map=dict(model=dict(_OWN_MAP, backbone=dict(attention=_CHANNEL))),
    spatial_own_map=dict(model=dict(_OWN_MAP, backbone=dict(attention=_SPATIAL))),
    mla_fixed=dict(model=_mla(dict(learn=False), learn=False)),
    mla_zero=dict(model=_mla(dict(init=0.0), init=0.0)),
    mla_shared=dict(model=_mla(norm='shared')))
comparisons = ['mla', 'published', 'curricular', 'open_own_map', 'channel_own_map', 'spatial_own_map',
               ('published', 'mla'), ('mla_fixed', 'mla'), ('mla_zero', 'mla'), ('mla_shared', 'mla'),
               ('curricular_own_map', 'curricular'), ('curricular_channel', 'curricular')]
