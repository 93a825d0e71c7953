"""Which level of MLA-ArcFace does the work, and what is better than it? Screening on two seeds; docs/studies.md.

Quarter-width IResNet-18, the recipe of configs/arcface_r18w025_faces_small.py with a schedule of 210
iterations. The baseline is plain ArcFace; the variants stand in the order of interest.
"""
title = 'Levels of attention on faces_small'
question = 'Which part of multi-level attention helps plain ArcFace at equal iterations, time and multiply-accumulates?'
base = '../arcface_r18w025_faces_small.py'
common = dict(
    model=dict(flip='none'),  # images alone, without their mirror images: half of a validation's time
    val_evaluator=dict(flip='none'),
    val_cfg=dict(amp='bfloat16', between=dict(every=5)),
    optim_wrapper=dict(amp='bfloat16'))
budget = dict(max_iters=210, validations=7, processor_minutes=20)
seeds = [1, 2]
targets = [0.60, 0.65, 0.70]

_PATCHES = dict(branch=dict(type='PatchSelfAttention', channels=128, qk_channels=64),
                fusion=dict(type='GatedFusion', channels=128))
_OWN_MAP = dict(branch=dict(type='MapSelfAttention', channels=128, position='relative'),
                fusion=dict(type='GatedFusion', channels=128, norm='none', init=0.0))


def _open(gate='2 sigmoid', **options):
    """Hybrid attention whose gates start open."""
    return dict(type='HybridAttention', gate=gate, **options)


variants = dict(
    arcface=dict(),
    mla=dict(model=dict(backbone=dict(attention=dict(type='HybridAttention'), activation='relu'), **_PATCHES)),
    open=dict(model=dict(backbone=dict(attention=_open()))),
    mla_no_branch=dict(model=dict(backbone=dict(attention=dict(type='HybridAttention'), activation='relu'))),
    own_map=dict(model=_OWN_MAP),
    open_channel=dict(model=dict(backbone=dict(attention=_open(levels=['channel'])))),
    open_spatial=dict(model=dict(backbone=dict(attention=_open(levels=['spatial'])))),
    open_34=dict(model=dict(backbone=dict(attention=_open(), attention_stages=[3, 4]))),
    open_tanh=dict(model=dict(backbone=dict(attention=_open('1 + tanh')))),
    relu=dict(model=dict(backbone=dict(activation='relu'))))
