"""ArcFace with a teacher, the small MLA-ArcFace that comes along; any model can be named."""
_base_ = '../arcface_r18w025_synthetic.py'
model = dict(head=dict(losses=[dict(type='RelationalDistillation', teacher='mla_r18w025_drawn', weight=1.0)]))
